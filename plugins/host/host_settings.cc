#include "plugins/host/host_settings.h"

#include <nlohmann/json.hpp>

namespace skald::plugins {

const nlohmann::json& host_settings() {
  static const auto* const settings = new nlohmann::json(nlohmann::json::parse(R"({
    "limits": {
      "type": "object",
      "description": "What the plugin may use",
      "additionalProperties": false,
      "properties": {
        "max_concurrent_activities": {
          "type": "integer", "minimum": 1, "maximum": 1073741824, "default": 1000,
          "description": "Attempts that the plugin holds at a time; more wait"
        },
        "max_activities_per_second": {
          "type": "number", "minimum": 0, "default": 0,
          "description": "Attempts begun in a second, more wait; 0: no limit"
        },
        "max_input_bytes": {
          "type": "integer", "minimum": 1, "maximum": 1073741824, "default": 2097152,
          "description": "Of an activity's input"
        },
        "max_output_bytes": {
          "type": "integer", "minimum": 1, "maximum": 1073741824, "default": 2097152,
          "description": "Of an activity's result"
        },
        "max_activity_seconds": {
          "type": "number", "minimum": 0.001, "maximum": 31000000,
          "description": "An attempt lasts no longer, whatever its timeouts"
        },
        "hang_seconds": {
          "type": "number", "minimum": 0.001, "maximum": 31000000, "default": 10,
          "description": "With isolation: a process that does not react for so long, or an attempt that is so late, ends the process"
        },
        "max_memory_mb": {
          "type": "integer", "minimum": 1, "maximum": 1073741824,
          "description": "With isolation: a process that takes more is ended"
        },
        "max_files": {
          "type": "integer", "minimum": 1, "maximum": 1073741824, "default": 4096,
          "description": "With isolation: files and connections that the process may have open"
        },
        "max_processes": {
          "type": "integer", "minimum": 1, "maximum": 1073741824, "default": 512,
          "description": "With isolation: processes and threads that it may have"
        }
      }
    },
    "isolation": {
      "enum": ["none", "process"], "default": "none",
      "description": "process: the plugin runs in a process of its own, which is started again when it crashes or hangs"
    },
    "drain_seconds": {
      "type": "number", "minimum": 0, "maximum": 31000000, "default": 30,
      "description": "When the plugin is reloaded, what runs has so long to end"
    }
  })"));
  return *settings;
}

}  // namespace skald::plugins

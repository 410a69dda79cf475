#pragma once

/* Skald's plugin interface, version 3: plain C. A plugin is a shared object that exports `skald_plugin_entry`.
 * Texts are UTF-8, not terminated, and live as long as the call that passes them. No exception may cross. */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SKALD_PLUGIN_ABI 3u

typedef struct skald_text {
  const char* data;
  size_t size;
} skald_text;

/* One running attempt. A handle, not memory: a use after the answer is noticed by the host, logged and ignored. */
typedef struct skald_call skald_call;

typedef struct skald_failure {
  skald_text type;
  skald_text message;
  skald_text details; /* JSON, or empty */
  int non_retryable;
  int64_t next_retry_delay_ms; /* 0: as the retry policy says */
} skald_failure;

/* What the host offers. All functions may be called from any thread. */
typedef struct skald_host {
  uint32_t abi;
  /* The answer: exactly one of these three, once, also when the deadline has passed: it gives the slot back. */
  void (*complete)(skald_call* call, skald_text result_json);
  void (*fail)(skald_call* call, const skald_failure* failure);
  void (*cancelled)(skald_call* call);
  /* Tells the server that the attempt lives. May be called often: the host sends as many as are useful. */
  void (*heartbeat)(skald_call* call, skald_text details_json);
  /* Not 0 when going on is useless: the server asked for it (learnt by heartbeats), the deadline has passed, or the
   * host stops. */
  int (*cancel_requested)(skald_call* call);
  void (*log)(int level, skald_text text); /* 0 debug, 1 info, 2 warning, 3 error */
} skald_host;

typedef struct skald_task {
  skald_text activity; /* without the plugin's name */
  skald_text input_json;
  skald_text idempotency_key; /* run and activity: the same on every attempt */
  skald_text namespace_name;
  skald_text workflow_id;
  skald_text workflow_type;
  skald_text run_id;
  skald_text activity_id;
  skald_text heartbeat_details_json; /* of the attempt before, or empty */
  int32_t attempt;                   /* from 1 */
  int64_t deadline_unix_ms;          /* then the host answers by itself; a later answer is dropped */
  skald_text chain;                  /* the first of the runs that follow each other, or empty: not known */
  int64_t scheduled_unix_ns;         /* when the activity was scheduled, the same on every attempt; 0: not known */
} skald_task;

typedef struct skald_plugin {
  uint32_t abi; /* SKALD_PLUGIN_ABI the plugin was built with; always the first field */
  const char* name;
  const char* version;
  const char* const* activities;
  size_t activity_count;
  /* JSON Schema (draft 7) of the plugin's configuration, an object, or NULL: anything goes. The host checks the
   * configuration against it before init. A text whose schema has "secret": true is a reference to a secret in the
   * file, and the secret itself in what init gets. */
  const char* config_schema;
  /* Called once before any other. `data_path` says where the plugin may keep what it must not forget. It is the
   * beginning of the names of its files, or, if it begins with "mysql:", what follows is a JSON object {"host", "port",
   * "user", "password", "database", and where needed "tls": true, "tls_ca", "tls_cert", "tls_key": names of PEM files}:
   * then the plugin's own database (schema) on that server is named <database>_<plugin's name>, and it makes it if it
   * is not there. If it is empty there is no place for books. "./" at its beginning means the folder that the process
   * begins in: one of its own, and those above it may be closed to it. Returns 0, or not 0 after writing a terminated
   * sentence, without the password, into `error`. */
  int (*init)(const skald_host* host, skald_text config_json, skald_text data_path, char* error, size_t error_size);
  void (*execute)(const skald_task* task, skald_call* call); /* must not block; copies what it keeps */
  void (*shutdown)(void); /* ends every running call, then returns; init may follow again */
} skald_plugin;

typedef const skald_plugin* (*skald_plugin_entry_fn)(void);

#ifdef __cplusplus
}
#endif

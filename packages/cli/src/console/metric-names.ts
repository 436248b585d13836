/** Every metric that the console reads, in one place. */
export const metricNames = {
  service: {
    requests: "tenfold_http_requests_total",
    duration: "tenfold_http_request_duration_seconds",
  },
  gateway: {
    requests: "tenfold_gateway_requests_total",
    failed: "tenfold_gateway_failed_total",
    duration: "tenfold_gateway_request_duration_seconds",
  },
  client: { tries: "tenfold_discovery_tries_total" },
  worker: { done: "tenfold_queueing_jobs_done_total" },
  queue: {
    accepted: "tenfold_queue_accepted",
    done: "tenfold_queue_done",
    dead: "tenfold_queue_dead",
    ready: "tenfold_queue_ready",
    leased: "tenfold_queue_leased",
    delayed: "tenfold_queue_delayed",
    oldest: "tenfold_queue_oldest_seconds",
  },
  audit: { checked: "tenfold_audit_checked_total", missing: "tenfold_audit_missing" },
  process: {
    born: "process_start_time_seconds",
    cpu: "process_cpu_seconds_total",
    memory: "process_resident_memory_bytes",
    eventLoop: "nodejs_eventloop_delay_seconds",
  },
} as const;

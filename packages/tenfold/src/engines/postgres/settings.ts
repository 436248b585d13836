import { appRole, replicationRole, superuserRole } from "./store-connections.ts";

/** Our settings, included at the end of postgresql.conf and written anew before every start. */
export const settingsFile = "tenfold.conf";

export interface ServerSettings {
  readonly address: string;
  readonly port: number;
  /** The server that this one follows; undefined for a primary. */
  readonly follows:
    | { readonly name: string; readonly address: string; readonly port: number }
    | undefined;
  /** The file with the replication password, and the slot that keeps what this standby needs. */
  readonly passwordFile: string;
  readonly slot: string;
}

/**
 * Small servers, many on one machine: 16 MB of shared buffers, no parallel or I/O workers.
 * `max_slot_wal_keep_size` bounds what a standby that stays away can make the primary keep; one
 * that fell further behind is seeded anew.
 */
export function settingsText(settings: ServerSettings): string {
  const { follows } = settings;
  const values: Record<string, string> = {
    listen_addresses: settings.address,
    port: String(settings.port),
    unix_socket_directories: "",
    password_encryption: "scram-sha-256",
    max_connections: "60",
    superuser_reserved_connections: "3",
    shared_buffers: "16MB",
    maintenance_work_mem: "16MB",
    max_wal_size: "256MB",
    min_wal_size: "32MB",
    fsync: "on",
    synchronous_commit: "on",
    full_page_writes: "on",
    wal_level: "replica",
    wal_log_hints: "on",
    max_wal_senders: "10",
    max_replication_slots: "10",
    max_slot_wal_keep_size: "512MB",
    hot_standby: "on",
    hot_standby_feedback: "on",
    wal_receiver_timeout: "10s",
    wal_sender_timeout: "10s",
    wal_retrieve_retry_interval: "500ms",
    io_method: "sync",
    max_worker_processes: "4",
    max_parallel_workers: "0",
    max_parallel_workers_per_gather: "0",
    max_logical_replication_workers: "0",
    autovacuum_worker_slots: "2",
    autovacuum_max_workers: "1",
    jit: "off",
    logging_collector: "off",
    log_destination: "stderr",
    log_line_prefix: "%m [%p] ",
    lc_messages: "C",
    primary_conninfo: follows
      ? `host=${follows.address} port=${follows.port} user=${replicationRole} ` +
        `application_name=${settings.slot} passfile=${conninfoValue(settings.passwordFile)}`
      : "",
    primary_slot_name: follows ? settings.slot : "",
  };
  return Object.entries(values)
    .map(([name, value]) => `${name} = '${quoted(value)}'\n`)
    .join("");
}

/** Written anew before every start: the hosts of a fleet change. */
export const accessFile = "pg_hba.conf";

/**
 * Who may come in: these IPv4 addresses by scram, the application only to its own database. From
 * one loopback address to another, Linux comes from 127.0.0.1: all of them count as one.
 */
export function accessRules(clients: readonly string[]): string {
  const networks = clients.map((address) =>
    address.startsWith("127.") ? "127.0.0.0/8" : `${address}/32`,
  );
  return [...new Set(networks)]
    .flatMap((network) => [
      `host all ${superuserRole} ${network} scram-sha-256`,
      `host replication ${replicationRole} ${network} scram-sha-256`,
      `host ${appRole} ${appRole} ${network} scram-sha-256`,
    ])
    .map((line) => `${line}\n`)
    .join("");
}

/** A replication slot's name has letters, digits and underscores only. */
export function slotName(server: string): string {
  return server.replaceAll(/[^a-z0-9_]/g, "_");
}

function quoted(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("'", "''");
}

function conninfoValue(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

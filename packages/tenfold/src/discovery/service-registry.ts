import type { Coordinator, Revision } from "../coordination/coordinator.ts";
import { fleetKeys } from "../coordination/keys.ts";
import { errorText, isTenfoldError } from "../runtime/errors.ts";
import { numberOption } from "../runtime/options.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import type { Member } from "./endpoint.ts";
import { type KeptMember, KeptMembers, type LeasedMember } from "./kept-members.ts";
import { type MemberBook, memberBook, type ServiceListing } from "./member-book.ts";
import { isWorthWriting } from "./member-change.ts";
import { type RegistrationName, registration, registrationName } from "./registration.ts";
import { nameTaken, notRegistered, registryFull, unavailable } from "./registry-error.ts";
import { type SessionClasses, sessionClasses } from "./session-classes.ts";

export interface ServiceRegistryLimits {
  /** Instances that this registry keeps at once: 1 … 1,000,000. */
  readonly instancesMax: number;
  /** How long a call may wait for the coordinator: 100 … 60,000. */
  readonly callTimeoutMs: number;
}

export interface ServiceRegistryOptions extends Partial<ServiceRegistryLimits> {
  readonly coordinator: Pick<Coordinator, "openSession" | "get" | "transact" | "watch">;
  readonly fleet: string;
  /** Of the registry: told of every instance whose registration does not say another zone. */
  readonly host: string;
  readonly zone: string;
  readonly runtime?: Partial<Runtime>;
}

export const serviceRegistryDefaults: ServiceRegistryLimits = Object.freeze({
  instancesMax: 10_000,
  callTimeoutMs: 2_000,
});

export interface Registered {
  readonly member: Member;
  /** Was it there before, as far as this registry knows? */
  readonly created: boolean;
}

/**
 * Keeps instances listed that cannot keep a session of their own: services in any language, by
 * heartbeat. Several registries may run: a heartbeat goes to any of them, and whoever heard the
 * last one keeps the entry. Heartbeats cost the coordinator nothing while nothing changes.
 */
export interface ServiceRegistry {
  /**
   * Lists an instance, or changes what is said of it; counts as a heartbeat. Returns once a list
   * of this registry shows it.
   *
   * @throws TENFOLD_DISCOVERY_MEMBER_INVALID, TENFOLD_DISCOVERY_NAME_TAKEN,
   *   TENFOLD_DISCOVERY_REGISTRY_FULL, TENFOLD_COORDINATION_UNAVAILABLE
   */
  register(service: string, instance: string, body: unknown): Promise<Registered>;
  /**
   * @throws TENFOLD_DISCOVERY_NOT_REGISTERED when the entry is gone: register again;
   *   TENFOLD_DISCOVERY_NAME_TAKEN, TENFOLD_COORDINATION_UNAVAILABLE
   */
  heartbeat(service: string, instance: string): Promise<Registered>;
  /**
   * Takes an instance out.
   * @throws TENFOLD_DISCOVERY_NAME_TAKEN, TENFOLD_COORDINATION_UNAVAILABLE
   */
  deregister(service: string, instance: string): Promise<void>;
  /** All services; undefined until the coordinator was first heard. */
  list(): readonly ServiceListing[] | undefined;
  /** The list of one service, then every change of it, as whole lists. */
  watch(service: string, signal: AbortSignal): AsyncGenerator<ServiceListing>;
  /** How many instances it keeps. */
  readonly size: number;
  /** Stops. Idempotent, never throws. */
  close(): Promise<void>;
}

/** @throws TENFOLD_OPTION_INVALID */
export function createServiceRegistry(options: ServiceRegistryOptions): ServiceRegistry {
  return new Registry(options);
}

class Registry implements ServiceRegistry {
  readonly #options: ServiceRegistryOptions;
  readonly #limits: ServiceRegistryLimits;
  readonly #runtime: Runtime;
  readonly #kept: KeptMembers;
  readonly #book: MemberBook;
  readonly #sessions: SessionClasses;
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;

  constructor(options: ServiceRegistryOptions) {
    this.#options = options;
    this.#limits = checked(options);
    this.#runtime = runtimeWith(options.runtime);
    this.#book = memberBook(fleetKeys(options.fleet).members(), this.#runtime.log);
    const { coordinator } = options;
    this.#sessions = sessionClasses(coordinator, this.#runtime, (session, classMs) => {
      void this.#kept.restore(session, classMs);
    });
    const { callTimeoutMs: timeoutMs } = this.#limits;
    this.#kept = new KeptMembers({ coordinator, timeoutMs, runtime: this.#runtime });
    this.#following = this.#follow();
  }

  get size(): number {
    return this.#kept.size;
  }

  async register(service: string, instance: string, body: unknown): Promise<Registered> {
    const { host, zone } = this.#options;
    const nowMs = this.#runtime.clock.wallNow();
    const name = registrationName(service, instance);
    return await this.#place(this.#keyOf(name), registration(name, body, { host, zone, nowMs }));
  }

  async heartbeat(service: string, instance: string): Promise<Registered> {
    const name = registrationName(service, instance);
    const key = this.#keyOf(name);
    const kept = this.#kept.get(key);
    if (kept === undefined) await this.#begun();
    const known = kept?.member ?? this.#book.entry(key)?.member;
    if (known === undefined) throw notRegistered(name);
    const { ttlMs } = known;
    if (ttlMs === undefined) throw nameTaken(key);
    try {
      return await this.#place(key, { ...known, ttlMs });
    } catch (error) {
      // It was heard: it is listed again as soon as the coordinator is there.
      const away = isTenfoldError(error, "TENFOLD_COORDINATION_UNAVAILABLE");
      if (away && kept !== undefined) return { member: kept.member, created: false };
      throw error;
    }
  }

  async deregister(service: string, instance: string): Promise<void> {
    await this.#kept.remove(this.#keyOf(registrationName(service, instance)));
  }

  list(): readonly ServiceListing[] | undefined {
    return this.#book.revision === undefined ? undefined : this.#book.services();
  }

  async *watch(service: string, signal: AbortSignal): AsyncGenerator<ServiceListing> {
    const until = AbortSignal.any([signal, this.#stop.signal]);
    let told: Revision | undefined;
    for await (const _ of this.#book.rounds(until)) {
      if (this.#book.revision === undefined) continue;
      const listing = this.#book.listing(service);
      if (listing.revision === told) continue;
      told = listing.revision;
      yield listing;
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#following, this.#kept.close()]);
    await this.#sessions.close();
  }

  #keyOf({ service, instance }: RegistrationName): string {
    return fleetKeys(this.#options.fleet).member(service, instance);
  }

  /** Lists what is said of an instance, if that is not what is listed already. */
  async #place(key: string, said: LeasedMember): Promise<Registered> {
    const { clock } = this.#runtime;
    const kept = this.#kept.get(key);
    if (kept !== undefined) kept.until = clock.now() + said.ttlMs;
    else if (this.#kept.size >= this.#limits.instancesMax)
      throw registryFull(this.#limits.instancesMax);
    if (kept !== undefined && this.#stands(kept)) {
      const sinceMs = clock.now() - kept.writtenAt;
      if (!isWorthWriting(kept.member, said, sinceMs)) {
        return { member: kept.member, created: false };
      }
    }
    const timeoutMs = this.#limits.callTimeoutMs;
    const { signal, done } = this.#deadline(timeoutMs);
    try {
      const session = await this.#sessions.of(said.ttlMs).opened({ signal });
      const { member, created, revision } = await this.#kept.put(key, said, session);
      await this.#shown(revision, signal);
      return { member, created };
    } finally {
      done();
    }
  }

  /** Does the entry stand as this registry put it? */
  #stands({ key, session }: KeptMember): boolean {
    return !session.signal.aborted && this.#book.entry(key)?.sessionId === session.id;
  }

  /** Waits until the lists of this registry show a revision, or until the signal fires. */
  async #shown(revision: Revision, signal: AbortSignal): Promise<void> {
    for await (const _ of this.#book.rounds(signal)) {
      if ((this.#book.revision ?? -1n) >= revision) return;
    }
  }

  /** A registry that has just started does not know yet who is registered. */
  async #begun(): Promise<void> {
    if (this.#book.revision !== undefined) return;
    const { signal, done } = this.#deadline(this.#limits.callTimeoutMs);
    try {
      await this.#shown(0n, signal);
    } finally {
      done();
    }
    if (this.#book.revision === undefined) throw unavailable("the members are not known yet");
  }

  async #follow(): Promise<void> {
    const { coordinator, fleet } = this.#options;
    const { signal } = this.#stop;
    try {
      const prefix = fleetKeys(fleet).members();
      for await (const batch of coordinator.watch(prefix, { signal })) this.#book.apply(batch);
    } catch (error) {
      this.#runtime.log.error("the registry's watch ended", { error: errorText(error) });
    }
  }

  #deadline(timeoutMs: number): { readonly signal: AbortSignal; readonly done: () => void } {
    const late = new AbortController();
    const timer = this.#runtime.clock.setTimer(timeoutMs, () => {
      late.abort(unavailable(`no session within ${timeoutMs} ms`));
    });
    const signal = AbortSignal.any([late.signal, this.#stop.signal]);
    return { signal, done: () => timer.cancel() };
  }
}

function checked(options: ServiceRegistryOptions): ServiceRegistryLimits {
  const limit = (name: keyof ServiceRegistryLimits, min: number, max: number): number =>
    numberOption(name, options[name] ?? serviceRegistryDefaults[name], { min, max });
  return {
    instancesMax: limit("instancesMax", 1, 1_000_000),
    callTimeoutMs: limit("callTimeoutMs", 100, 60_000),
  };
}

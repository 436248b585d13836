import { type Runtime, systemRuntime } from "tenfold/runtime";

import {
  type Answer,
  type Call,
  createGatewayClient,
  type GatewayClient,
} from "./gateway-client.ts";
import { type Findings, type UserLedger, userLedger } from "./user-ledger.ts";
import { zipf } from "./zipf.ts";

export interface TrafficOptions {
  /** The gateway's address, or those of several: who is cut off at one asks the next. */
  readonly gateway: string | readonly string[];
  /** Requests a second, sent whether or not earlier ones were answered: 1 … 10,000. */
  readonly perSecond: number;
  /** How many users there are, by Zipf; ids count from `firstUser`. */
  readonly users: number;
  readonly firstUser: number;
  /** Shares of the requests; what is left reads one post. */
  readonly writeRatio: number;
  readonly listRatio: number;
  /** Pages that posts link to, for previews; may be empty. */
  readonly urls: readonly string[];
  readonly runtime?: Pick<Runtime, "clock" | "random">;
}

export const trafficDefaults: Omit<TrafficOptions, "gateway"> = Object.freeze({
  perSecond: 50,
  users: 1_000,
  firstUser: 1,
  writeRatio: 0.3,
  listRatio: 0.5,
  urls: Object.freeze([]),
});

/** Everything counted since the start; a healthy fleet keeps all but the first four at 0. */
export interface TrafficReport {
  readonly sent: number;
  readonly answered: number;
  readonly written: number;
  /** Requests that the gateway's own end cut off and that succeeded when sent again. */
  readonly resent: number;
  readonly failed: number;
  readonly missed: number;
  readonly disordered: number;
  readonly repeated: number;
  readonly misshapen: number;
  /** Not sent because too many were unanswered. */
  readonly skipped: number;
  /** The first twenty failures and findings, for people. */
  readonly samples: readonly string[];
}

export interface Traffic {
  report(): TrafficReport;
  /** Every acknowledged post, by user. */
  acknowledged(): ReadonlyMap<number, readonly bigint[]>;
  /** Times of the answers since the last call, in milliseconds. */
  takeLatencies(): readonly number[];
  /** Stops sending, waits for what is under way. */
  stop(): Promise<void>;
}

interface User {
  readonly id: number;
  readonly ledger: UserLedger;
  /** A person writes one post after the other. */
  writing: boolean;
}

const tickMs = 10;
const unansweredMax = 2_000;
const samplesMax = 20;
const pagesMax = 3;
const pageSizes = [1, 2, 5, 10, 20];

/** A population of users that write and read, and check every answer against what they know. */
export function startTraffic(options: TrafficOptions): Traffic {
  return new Population(options);
}

class Population implements Traffic {
  readonly #options: TrafficOptions;
  readonly #runtime: Pick<Runtime, "clock" | "random">;
  readonly #client: GatewayClient;
  readonly #users = new Map<number, User>();
  readonly #pickUser: () => number;
  readonly #counts = {
    sent: 0,
    answered: 0,
    written: 0,
    resent: 0,
    failed: 0,
    missed: 0,
    disordered: 0,
    repeated: 0,
    misshapen: 0,
    skipped: 0,
  };
  readonly #samples: string[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #sending: Promise<void>;
  readonly #run: string;
  #latencies: number[] = [];

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#runtime = options.runtime ?? systemRuntime;
    const { clock, random } = this.#runtime;
    this.#client = createGatewayClient(options.gateway, clock);
    this.#pickUser = zipf(options.users, 1, random);
    this.#run = random.below(2 ** 32).toString(36);
    this.#sending = this.#send();
  }

  report(): TrafficReport {
    return { ...this.#counts, samples: [...this.#samples] };
  }

  acknowledged(): ReadonlyMap<number, readonly bigint[]> {
    return new Map([...this.#users.values()].map(({ id, ledger }) => [id, ledger.ids()]));
  }

  takeLatencies(): readonly number[] {
    const taken = this.#latencies;
    this.#latencies = [];
    return taken;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#sending;
    await Promise.all(this.#underWay);
    this.#client.close();
  }

  /** Open loop: what is due is sent, however slow the answers are. */
  async #send(): Promise<void> {
    const { clock } = this.#runtime;
    const began = clock.now();
    let due = 0;
    while (!this.#stopping.signal.aborted) {
      const wanted = ((clock.now() - began) / 1_000) * this.#options.perSecond;
      for (; due < wanted; due++) this.#sendOne();
      await clock.sleep(tickMs);
    }
  }

  #sendOne(): void {
    if (this.#underWay.size >= unansweredMax) {
      this.#counts.skipped += 1;
      return;
    }
    const { random } = this.#runtime;
    const { writeRatio, listRatio } = this.#options;
    const user = this.#user();
    const draw = random.next();
    const writes = draw < writeRatio && !user.writing;
    const done = writes
      ? this.#write(user)
      : draw < writeRatio + listRatio
        ? this.#list(user)
        : this.#readOne(user);
    const tracked = done.finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }

  #user(): User {
    const id = this.#options.firstUser + this.#pickUser();
    const known = this.#users.get(id) ?? { id, ledger: userLedger(), writing: false };
    this.#users.set(id, known);
    return known;
  }

  async #write(user: User): Promise<void> {
    user.writing = true;
    const { random } = this.#runtime;
    const { urls } = this.#options;
    const number = this.#counts.sent;
    const url = urls[random.below(Math.max(urls.length, 1))];
    const answer = await this.#call(user, {
      method: "POST",
      path: `/api/v1/posts/${user.id}`,
      body: { contents: `post ${number} of run ${this.#run}`, ...(url ? { url } : {}) },
      idempotencyKey: `${this.#run}-${number}`,
    });
    if (answer?.status === 201) {
      this.#counts.written += 1;
      this.#note(user, user.ledger.acknowledged(BigInt(JSON.parse(answer.text).id)));
    }
    user.writing = false;
  }

  async #list(user: User): Promise<void> {
    const { random } = this.#runtime;
    const before = user.ledger.before();
    const limit = pageSizes[random.below(pageSizes.length)] ?? 10;
    const pages = 1 + random.below(pagesMax);
    const seen: { ids: bigint[]; limit: number; hasNext: boolean }[] = [];
    let cursor: string | null = null;
    do {
      const query = `limit=${limit}${cursor === null ? "" : `&cursor=${cursor}`}`;
      const path = `/api/v1/posts/${user.id}?${query}`;
      const answer = await this.#call(user, { method: "GET", path });
      if (answer?.status !== 200) return;
      const { posts, nextCursor } = JSON.parse(answer.text);
      cursor = nextCursor;
      const ids = posts.map(({ id }: { id: string }) => BigInt(id));
      seen.push({ ids, limit, hasNext: cursor !== null });
    } while (cursor !== null && seen.length < pages);
    this.#note(user, user.ledger.judge(before, seen));
  }

  async #readOne(user: User): Promise<void> {
    const own = user.ledger.before();
    const id = own[this.#runtime.random.below(Math.max(own.length, 1))];
    if (id === undefined) return await this.#list(user);
    const path = `/api/v1/posts/${user.id}/${id}`;
    const answer = await this.#call(user, { method: "GET", path }, 404);
    if (answer?.status === 404) {
      this.#note(user, { missed: [`${id}`], disordered: [], repeated: [], misshapen: [] });
    }
  }

  /** The answer, or undefined when it counts as failed. */
  async #call(user: User, call: Call, expected?: number): Promise<Answer | undefined> {
    this.#counts.sent += 1;
    const answer = await this.#client.call(call);
    this.#latencies.push(answer.tookMs);
    const { status } = answer;
    if (status === 0 || (status >= 400 && status !== expected)) {
      this.#counts.failed += 1;
      this.#sample(`user ${user.id}: ${call.method} ${call.path}: ${status} ${answer.text}`);
      return undefined;
    }
    this.#counts.answered += 1;
    if (answer.reconnects > 0) this.#counts.resent += 1;
    return answer;
  }

  #note(user: User, findings: Findings): void {
    for (const kind of ["missed", "disordered", "repeated", "misshapen"] as const) {
      this.#counts[kind] += findings[kind].length;
      for (const what of findings[kind]) this.#sample(`user ${user.id}: ${kind}: ${what}`);
    }
  }

  #sample(text: string): void {
    if (this.#samples.length < samplesMax) this.#samples.push(text.slice(0, 300));
  }
}

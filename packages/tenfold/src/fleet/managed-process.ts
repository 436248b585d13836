import type { ChildProcess } from "node:child_process";

import type { Clock } from "../runtime/clock.ts";
import { errorText, TenfoldError } from "../runtime/errors.ts";
import { type Runtime, runtimeWith } from "../runtime/runtime.ts";
import { type RestartPolicy, restartPolicy } from "./restart-policy.ts";

/**
 * starting: spawned, not ready yet. backoff: ended, will be started again. failed: ends again and
 * again; tried rarely. stopped: not wanted.
 */
export type ProcessState = "starting" | "ready" | "stopping" | "backoff" | "failed" | "stopped";

export interface ManagedProcessOptions {
  readonly name: string;
  /** What it throws counts as an end of the process. */
  spawn(): ChildProcess;
  /** Does it serve? Asked until it does. Must not throw. */
  isReady(): Promise<boolean>;
  /**
   * Does it answer at all? Asked every `healthEveryMs`, in a start after `startQuietMs`; so many
   * misses in a row as `healthMissesMax` says, and it is killed and started again. Must not throw.
   */
  isAlive(): Promise<boolean>;
  /** Default `managedProcessDefaults.healthMissesMax`. */
  readonly healthMissesMax?: number;
  readonly stopSignal: NodeJS.Signals;
  readonly stopGraceMs: number;
  readonly onChange: (change: ProcessChange) => void;
  readonly runtime?: Partial<Runtime>;
}

export interface ProcessChange {
  readonly state: ProcessState;
  readonly message: string;
  readonly unexpected: boolean;
}

export interface ProcessStatus {
  readonly state: ProcessState;
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly startedAtMs: number | undefined;
  readonly readyAtMs: number | undefined;
  readonly lastExit: string | undefined;
}

export interface ManagedProcess {
  readonly name: string;
  status(): ProcessStatus;
  /** Starts it, and again whenever it ends, until `stop`; after that it does nothing. */
  start(): void;
  /** Resolves when it is ready; rejects with the signal's reason. */
  whenReady(signal: AbortSignal): Promise<void>;
  /**
   * Asks it to end, starts it again at once, also out of a back-off, and resolves when it is ready.
   * @throws TENFOLD_FLEET_START_FAILED when it ends again and again, or the signal's reason
   */
  restart(signal: AbortSignal): Promise<void>;
  /** Asks it to end, kills it after the grace period, resolves when it has ended. */
  stop(): Promise<void>;
  /** Sends a signal to the running process, as a person with `kill` would. False: none runs. */
  signal(signal: NodeJS.Signals): boolean;
}

export const managedProcessDefaults: {
  readonly readyPollMs: number;
  readonly startQuietMs: number;
  readonly healthEveryMs: number;
  readonly healthMissesMax: number;
} = Object.freeze({
  readyPollMs: 40,
  /** How long a new process may not answer at all before its misses count. */
  startQuietMs: 30_000,
  healthEveryMs: 2_000,
  healthMissesMax: 3,
});

/** One process under supervision: started, watched, restarted by `restartPolicy`, stopped. */
export function createManagedProcess(options: ManagedProcessOptions): ManagedProcess {
  return new SupervisedProcess(options);
}

class SupervisedProcess implements ManagedProcess {
  readonly name: string;
  readonly #options: ManagedProcessOptions;
  readonly #clock: Clock;
  readonly #policy: RestartPolicy;
  readonly #stopping = new AbortController();
  #state: ProcessState = "stopped";
  #child: ChildProcess | undefined;
  #spawned = 0;
  #startedAtMs: number | undefined;
  #readyAtMs: number | undefined;
  #lastExit: string | undefined;
  #restarting = false;
  #wait: AbortController | undefined;
  #running: Promise<void> | undefined;
  #ending: Promise<void> | undefined;

  constructor(options: ManagedProcessOptions) {
    const { clock, random } = runtimeWith(options.runtime);
    this.name = options.name;
    this.#options = options;
    this.#clock = clock;
    this.#policy = restartPolicy(random);
  }

  status(): ProcessStatus {
    return {
      state: this.#state,
      pid: this.#child?.pid,
      restarts: Math.max(this.#spawned - 1, 0),
      startedAtMs: this.#startedAtMs,
      readyAtMs: this.#readyAtMs,
      lastExit: this.#lastExit,
    };
  }

  start(): void {
    if (!this.#stopping.signal.aborted) this.#running ??= this.#runUntilStopped();
  }

  async whenReady(signal: AbortSignal): Promise<void> {
    while (this.#state !== "ready") {
      if (this.#state === "failed") throw neverReady(this.name, this.#lastExit);
      await this.#clock.sleep(20, { signal });
    }
  }

  async restart(signal: AbortSignal): Promise<void> {
    const before = this.#spawned;
    if (this.#child !== undefined) {
      this.#restarting = true;
      this.#enter("stopping", "restarting on request");
      this.#askToEnd();
    }
    this.#wait?.abort();
    while (this.#spawned === before) await this.#clock.sleep(20, { signal });
    await this.whenReady(signal);
  }

  stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#running === undefined) return Promise.resolve();
    this.#ending ??= this.#end(this.#running);
    return this.#ending;
  }

  signal(signal: NodeJS.Signals): boolean {
    return this.#child?.kill(signal) ?? false;
  }

  async #runUntilStopped(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const began = this.#clock.now();
      await this.#runOnce();
      if (signal.aborted) return;
      if (this.#restarting) {
        this.#restarting = false;
        continue;
      }
      const { delayMs, looping, alarm } = this.#policy.ended(this.#clock.now() - began);
      const message = `ended: ${this.#lastExit}`;
      this.#enter(looping ? "failed" : "backoff", alarm ? `${message}; looping` : message, true);
      this.#wait = new AbortController();
      await this.#pause(delayMs, AbortSignal.any([signal, this.#wait.signal]));
      this.#wait = undefined;
    }
  }

  async #runOnce(): Promise<void> {
    this.#startedAtMs = this.#clock.wallNow();
    this.#readyAtMs = undefined;
    this.#spawned += 1;
    this.#enter("starting", this.#spawned === 1 ? "starting" : "starting again");
    const over = new AbortController();
    const exited = this.#spawn().finally(() => over.abort());
    if (await this.#becomesReady(over.signal)) await this.#staysAlive("ready", over.signal);
    this.#lastExit = await exited;
    this.#child = undefined;
  }

  #spawn(): Promise<string> {
    return new Promise((resolve) => {
      const failed = (error: unknown) => resolve(`could not be started: ${errorText(error)}`);
      try {
        const child = this.#options.spawn();
        this.#child = child;
        // A child that runs tells of a signal or a message that did not reach it: no end.
        child.on("error", (error) => child.pid === undefined && failed(error));
        child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
      } catch (error) {
        failed(error);
      }
    });
  }

  async #becomesReady(over: AbortSignal): Promise<boolean> {
    const { readyPollMs, startQuietMs } = managedProcessDefaults;
    const began = this.#clock.now();
    const watched = new AbortController();
    const ended = AbortSignal.any([over, watched.signal]);
    const watch = this.#pause(startQuietMs, ended).then(() => this.#staysAlive("starting", ended));
    while (!over.aborted && !(await this.#options.isReady())) {
      await this.#pause(readyPollMs, over);
    }
    watched.abort();
    await watch;
    if (over.aborted || this.#stopping.signal.aborted || this.#restarting) return false;
    this.#readyAtMs = this.#clock.wallNow();
    this.#enter("ready", `ready after ${Math.round(this.#clock.now() - began)} ms`);
    return true;
  }

  /** Returns when the state is another; a process that no longer answers is ended by force. */
  async #staysAlive(state: ProcessState, over: AbortSignal): Promise<void> {
    const { healthEveryMs, healthMissesMax } = { ...managedProcessDefaults, ...this.#options };
    let misses = 0;
    while (!over.aborted && this.#state === state) {
      misses = (await this.#options.isAlive()) ? 0 : misses + 1;
      if (over.aborted || this.#state !== state) return;
      if (misses === healthMissesMax) {
        this.#enter(state, "does not answer; killed", true);
        this.signal("SIGKILL");
        return;
      }
      await this.#pause(healthEveryMs, over);
    }
  }

  async #pause(delayMs: number, over: AbortSignal): Promise<void> {
    await this.#clock.sleep(delayMs, { signal: over }).catch(() => {});
  }

  async #end(running: Promise<void>): Promise<void> {
    if (this.#child !== undefined) this.#enter("stopping", "stopping");
    this.#askToEnd();
    await running;
    this.#enter("stopped", "stopped");
  }

  #askToEnd(): void {
    const child = this.#child;
    if (child === undefined) return;
    const kill = this.#clock.setTimer(this.#options.stopGraceMs, () => child.kill("SIGKILL"));
    child.once("exit", () => kill.cancel());
    child.kill(this.#options.stopSignal);
    // A process that was stopped by hand cannot end by itself.
    child.kill("SIGCONT");
  }

  #enter(state: ProcessState, message: string, unexpected = false): void {
    this.#state = state;
    this.#options.onChange({ state, message, unexpected });
  }
}

function neverReady(name: string, lastExit: string | undefined): TenfoldError {
  return new TenfoldError(
    "TENFOLD_FLEET_START_FAILED",
    `${name} ends again and again (${lastExit}): its log says why.`,
  );
}

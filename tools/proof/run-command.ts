import { spawn } from "node:child_process";

import { root } from "../architecture/tree.ts";

export interface CommandOptions {
  readonly budgetMs: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Show the output as it comes, beside keeping it. Default false. */
  readonly live?: boolean;
}

export interface CommandResult {
  /** 0 when all is well; 1 as well when it was ended at its budget. */
  readonly code: number;
  readonly output: string;
  readonly stdout: string;
}

const outputCharactersMax = 200_000;
const running = new Set<number>();

/** Runs a program in its own process group; at its budget the whole group is killed. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { budgetMs, env, cwd = root, live = false } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      detached: true,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const group = child.pid ?? 0;
    running.add(group);
    let output = "";
    let stdout = "";
    let late = false;
    const keep = (chunk: Buffer, ofStdout: boolean): void => {
      const text = chunk.toString();
      output = (output + text).slice(-outputCharactersMax);
      if (ofStdout) stdout = (stdout + text).slice(-outputCharactersMax);
      if (live) process.stdout.write(chunk);
    };
    child.stdout.on("data", (chunk: Buffer) => keep(chunk, true));
    child.stderr.on("data", (chunk: Buffer) => keep(chunk, false));
    const timer = setTimeout(() => {
      late = true;
      killGroup(group, "SIGKILL");
    }, budgetMs);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      running.delete(group);
      if (late) output += `\nended: over its budget of ${budgetMs / 1000} s\n`;
      resolve({ code: late ? 1 : (code ?? 1), output, stdout });
    });
  });
}

/** Ends what still runs when we are told to end; called once by a program. */
export function endWithUs(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      for (const group of running) killGroup(group, "SIGTERM");
      process.exit(1);
    });
  }
  process.on("disconnect", () => {
    for (const group of running) killGroup(group, "SIGKILL");
    process.exit(1);
  });
}

function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It has just ended by itself.
  }
}

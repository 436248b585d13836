import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../../../packages/cli/bin/tenfold.js", import.meta.url));

/** `tenfold up` that must not come up: its exit code and the code it says. */
export async function failedStart(
  fleetFile: string,
  dataFolder: string,
  portsFrom: number,
  more: readonly string[] = [],
) {
  const args = ["up", fleetFile, "--data", dataFolder, "--ports", `${portsFrom}`, ...more];
  const child = spawn(process.execPath, [program, ...args, "--json"], {
    env: { ...process.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    timeout: 120_000,
    killSignal: "SIGKILL",
  });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [exitCode] = await once(child, "close");
  return { exitCode, code: /TENFOLD_\w+/.exec(said)?.[0] };
}

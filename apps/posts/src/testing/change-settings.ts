import { connectEtcd } from "tenfold/engines/etcd";
import { settingsAdmin } from "tenfold/flags";

import { type LabFleet, until } from "../../../../lab/support/fleet.ts";
import { call, type HttpAnswer, post } from "./http-call.ts";

/** What was seen before a change, with it, and after it was taken back. */
type Seen<Value> = readonly [usual: Value, changed: Value, undone: Value];

export interface ChangedSettings {
  /** Of a list of the reader, who is given ten posts. */
  readonly pageSizes: Seen<number>;
  /** Has a post with a URL a preview? */
  readonly previews: Seen<boolean>;
  /** All that were answered meanwhile, each once, sorted. */
  readonly statuses: readonly number[];
}

/** When every change is heeded and no request fails. */
export const heededSettings: ChangedSettings = {
  pageSizes: [10, 4, 10],
  previews: [true, false, true],
  statuses: [200, 201],
};

const by = "a test";
/** Instances answer in turn: so many answers that are alike come from all of them. */
const answersAlike = 6;

/** Changes two settings of the running fleet and takes the changes back, under requests. */
export async function changeSettings(
  fleet: LabFleet,
  reader: number,
  writer: number,
): Promise<ChangedSettings> {
  const { instances } = await fleet.status();
  const { address, port } = instances.find(({ kind }) => kind === "coordinator") ?? {};
  const pages = instances.find(({ service }) => service === "pages");
  const url = `http://${pages?.address}:${pages?.port}/ko/market`;
  const endpoints = `etcd://${address}:${port}`;
  await using closing = closeLater(connectEtcd({ endpoints, token: fleet.token }));
  const admin = settingsAdmin({ coordinator: closing.value, fleet: "posts" });
  const statuses = new Set<number>();
  const noted = async (answer: Promise<HttpAnswer>): Promise<HttpAnswer> => {
    statuses.add((await answer).status);
    return answer;
  };
  const pageSize = async (): Promise<number> => {
    const answer = await noted(call(fleet.gateway, `/api/v1/posts/${reader}?limit=100`));
    return answer.json<{ posts: unknown[] }>().posts.length;
  };
  const hasPreview = async (): Promise<boolean> => {
    const body = { contents: "x", url };
    const answer = await noted(post(fleet.gateway, `/api/v1/posts/${writer}`, body));
    return answer.json<{ preview?: object }>().preview !== undefined;
  };
  const change = async <Value>(
    name: string,
    value: number | boolean,
    look: () => Promise<Value>,
    changed: Value,
  ): Promise<Seen<Value>> => {
    const usual = await look();
    const all = async (wanted: Value): Promise<boolean> => {
      const answers = await Promise.all(Array.from({ length: answersAlike }, look));
      return answers.every((answer) => answer === wanted);
    };
    const { change: ifChange } = await admin.set({ name, value, by });
    await until(`${name} to be heeded`, 90_000, () => all(changed));
    await admin.undo({ name, by, ifChange });
    await until(`${name} to be as before`, 90_000, () => all(usual));
    return [usual, changed, usual];
  };
  for (let index = 0; index < 10; index++) {
    await noted(post(fleet.gateway, `/api/v1/posts/${reader}`, { contents: `${index}` }));
  }
  return {
    pageSizes: await change("posts.pageMax", 4, pageSize, 4),
    previews: await change("posts.previews", false, hasPreview, false),
    statuses: [...statuses].sort(),
  };
}

function closeLater<Value extends { close(): Promise<void> }>(value: Value) {
  return { value, [Symbol.asyncDispose]: () => value.close() };
}

import type { VNode } from "preact";
import type { SettingChangeState, SettingState } from "../../../cli/src/console/console-state.ts";
import { duration } from "../format.ts";

export interface SettingsMapProps {
  readonly settings: readonly SettingState[];
  readonly timeMs: number;
  readonly onUndo: (name: string, change: number) => void;
}

/** What is set, by whom and why, what it was before, and the way back. */
export function SettingsMap({ settings, timeMs, onUndo }: SettingsMapProps): VNode {
  if (settings.length === 0) return <p class="nothing">No service of the fleet has settings.</p>;
  return (
    <ul class="settings">
      {settings.map((setting) => (
        <SettingRow key={setting.name} setting={setting} timeMs={timeMs} onUndo={onUndo} />
      ))}
    </ul>
  );
}

interface SettingRowProps extends Omit<SettingsMapProps, "settings"> {
  readonly setting: SettingState;
}

function SettingRow({ setting, timeMs, onUndo }: SettingRowProps): VNode {
  const { name, description, value, problem, changes } = setting;
  const [last, ...before] = changes;
  return (
    <li class={problem === undefined ? "" : "bad"}>
      <p class="setting">
        <strong>{name}</strong>
        <code>{value ?? "unknown"}</code>
        {last === undefined || last.value === undefined ? <small>default</small> : null}
        {last === undefined ? null : (
          <button
            type="button"
            aria-label={`Undo the last change of ${name}`}
            onClick={() => onUndo(name, last.number)}
          >
            undo
          </button>
        )}
      </p>
      {description === undefined ? null : <p class="description">{description}</p>}
      {problem === undefined ? null : <p class="problem">Not heeded: {problem}.</p>}
      {last === undefined ? null : (
        <p class="change">
          <Change change={last} timeMs={timeMs} />
        </p>
      )}
      {before.length === 0 ? null : (
        <details>
          <summary>{before.length === 1 ? "1 change" : `${before.length} changes`} before</summary>
          <ol>
            {before.map((change) => (
              <li key={change.number}>
                <Change change={change} timeMs={timeMs} />
              </li>
            ))}
          </ol>
        </details>
      )}
    </li>
  );
}

function Change(props: { readonly change: SettingChangeState; readonly timeMs: number }): VNode {
  const { value, by, atMs, why } = props.change;
  return (
    <>
      <code>{value ?? "the default"}</code> by <b>{by}</b>,{" "}
      <time dateTime={new Date(atMs).toISOString()} title={new Date(atMs).toLocaleString("en-GB")}>
        {duration(props.timeMs - atMs)} ago
      </time>
      {why === "" ? null : `: ${why}`}
    </>
  );
}

/** Posts an action; says what went wrong, if anything did. */
export async function act(path: string, body: unknown): Promise<string | undefined> {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.ok) return undefined;
    const { error } = (await response.json()) as { error?: { message?: string } };
    return error?.message ?? `The console answered ${response.status}.`;
  } catch {
    return "The console does not answer.";
  }
}

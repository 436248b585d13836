/** Asks for the token; plain HTML, because nothing else is served before the token is known. */
export function loginPage(problem: string | undefined): string {
  const note = problem === undefined ? "" : `<p role="alert">${problem}</p>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tenfold console</title>
<link rel="stylesheet" href="/login.css">
<main>
<h1>Tenfold console</h1>
${note}
<form method="post" action="/login">
<label for="token">The fleet's token</label>
<input id="token" name="token" type="password" autocomplete="off" autofocus required>
<button>Open</button>
</form>
<p>It was printed when the fleet came up.</p>
</main>
</html>
`;
}

export const loginStyle = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 24rem; margin: 18vh auto 0; padding: 0 1rem; }
form { display: grid; gap: .5rem; }
input, button { font: inherit; padding: .5rem .75rem; }
[role="alert"] { color: #c62828; font-weight: 600; }
`;

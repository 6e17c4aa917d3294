import { Html, html, type Part } from './html.ts';
import { style } from './style.ts';

/** One HTML text: no script, nothing fetched. The policy in its head makes sure of that. */
export function page(title: string, body: Part): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body><main>
${body}
</main></body>
</html>
`.text;
}

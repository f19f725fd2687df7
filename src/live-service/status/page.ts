import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The page with the headers that keep it to itself. */
export interface Page {
  html: string;
  /** Content-Security-Policy: its own script and nothing else, connections only to here. */
  policy: string;
}

/** Reads the page that the build put beside the program; null when there is none. */
export function loadPage(): Page | null {
  let html: string;
  try {
    html = readFileSync(new URL('./live-page.html', import.meta.url), 'utf8');
  } catch {
    return null;
  }
  const script = /<script>(.*)<\/script>/s.exec(html)?.[1] ?? '';
  const hash = createHash('sha256').update(script).digest('base64');
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${hash}'`,
    "style-src 'unsafe-inline'",
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return { html, policy: policy.join('; ') };
}

/** One line on a terminal that is written again and again; nothing where nobody watches. */
export interface ProgressBar {
  show(text: string, done?: number): void;
  clear(): void;
}

const cells = 24;

/** `write` is undefined where standard error is no terminal. `now` in milliseconds. */
export function progressBar(write: ((text: string) => void) | undefined, now: () => number): ProgressBar {
  if (write === undefined) return { show: () => {}, clear: () => {} };
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    show(text, done) {
      // Ten times a second is as often as eyes look.
      if (now() - shownAt < 100) return;
      shownAt = now();
      const filled = done === undefined ? 0 : Math.round(done * cells);
      const bar =
        done === undefined ? '' : `[${'#'.repeat(filled)}${'.'.repeat(cells - filled)}] ${String(Math.floor(done * 100)).padStart(3)} %  `;
      write(`\r\x1b[K${bar}${text}`);
    },
    clear: () => write('\r\x1b[K'),
  };
}

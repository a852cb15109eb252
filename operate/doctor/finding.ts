/** What one check has found. */
export interface Finding {
  /** `warn` stands for what may do, and for what could not be checked. */
  readonly status: 'ok' | 'warn' | 'fail';
  readonly thing: string;
  /** What is so, and where it will not do, what to do. */
  readonly text: string;
}

/** Makes the findings about one thing. */
export function about(thing: string) {
  const finding =
    (status: Finding['status']) =>
    (text: string): Finding => ({ status, thing, text });
  return { ok: finding('ok'), warn: finding('warn'), fail: finding('fail') };
}

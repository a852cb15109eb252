/** The result of one check. */
export interface Finding {
  /** `warn`: perhaps a problem, or it could not be checked. */
  readonly status: 'ok' | 'warn' | 'fail';
  readonly thing: string;
  /** What was found. For a problem also what to do. */
  readonly text: string;
}

/** Makes the findings about one thing. */
export function about(thing: string) {
  const finding =
    (status: Finding['status']) =>
    (text: string): Finding => ({ status, thing, text });
  return { ok: finding('ok'), warn: finding('warn'), fail: finding('fail') };
}

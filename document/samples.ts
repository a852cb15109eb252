import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Json } from './json-schema.ts';

/** A call on a page, with its documented answer. */
export interface SampleCall {
  readonly caller: string;
  readonly method: string;
  readonly path: string;
  readonly body: Json | undefined;
  readonly status: number;
  /** Null if the answer has no body. */
  readonly answer: Json;
}

/** An event on a page, or its envelope. */
export interface SampleEvent {
  readonly name: string;
  readonly event: Json;
}

export interface PageSamples {
  readonly markdown: string;
  readonly calls: readonly SampleCall[];
  readonly events: readonly SampleEvent[];
}

/** The samples of a page of docs/: `http` blocks have a call and its answer, `json NAME` blocks have an event. */
export async function samplesOf(page: string): Promise<PageSamples> {
  const markdown = await readFile(fileURLToPath(new URL(`../docs/${page}`, import.meta.url)), 'utf8');
  const calls = [...markdown.matchAll(/^```http\n(.*?)^```$/gms)].map(([, block = '']) => callIn(block));
  const events = [...markdown.matchAll(/^```json (\S+)\n(.*?)^```$/gms)].map(([, name = '', text = '']) => ({
    name,
    event: JSON.parse(text) as Json,
  }));
  return { markdown, calls, events };
}

function callIn(block: string): SampleCall {
  const found = /^(.+?): ([A-Z]+) (\S+)(?: (\{.*\}))?\n(\d{3})(?: (\{.*\}))?\n$/s.exec(block);
  if (!found) throw new Error(`This block is not a call with its answer: ${block}`);
  const [, caller = '', method = '', path = '', body, status, answer = 'null'] = found;
  return {
    ...{ caller, method, path },
    body: body === undefined ? undefined : (JSON.parse(body) as Json),
    status: Number(status),
    answer: JSON.parse(answer) as Json,
  };
}

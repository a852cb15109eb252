import { fileURLToPath } from 'node:url';
import { eventsSchema } from './events-schema.ts';
import { framesSchema } from './frames-schema.ts';
import type { JsonObject } from './json-schema.ts';
import { openApi } from './openapi.ts';

export interface WrittenDocument {
  readonly file: string;
  readonly text: string;
}

/** The files in docs/ that are generated from the contract. */
export async function documents(): Promise<readonly WrittenDocument[]> {
  return [
    written('openapi.json', await openApi()),
    written('events.schema.json', eventsSchema()),
    written('frames.schema.json', framesSchema()),
  ];
}

function written(name: string, json: JsonObject): WrittenDocument {
  const file = fileURLToPath(new URL(`../docs/${name}`, import.meta.url));
  return { file, text: `${JSON.stringify(json, null, 2)}\n` };
}

import { SOURCE, VERSION } from '../shared/contract/event.ts';
import { eventDetails } from '../shared/contract/event-details.ts';
import { type JsonObject, jsonSchemaOf } from './json-schema.ts';
import { open } from './openapi.ts';

/** The JSON Schema of the events, in the envelope that a webhook receives. EventBridge's envelope has a few more fields. */
export function eventsSchema(): JsonObject {
  const details = Object.entries(eventDetails).map(([type, schema]) => {
    const { properties, required, description } = open(jsonSchemaOf(schema)) as {
      readonly properties: JsonObject;
      readonly required: string[];
      readonly description: string;
    };
    const detail: JsonObject = {
      type: 'object',
      description,
      properties: { version: { type: 'string', const: VERSION }, ...properties },
      required: ['version', ...required],
    };
    return [type, detail] as const;
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'An event of Tidemark',
    description: 'Details may get more fields: ignore those that you do not know.',
    type: 'object',
    properties: {
      id: { type: 'string', description: 'The same id means the same event, though it comes twice' },
      time: { type: 'string', format: 'date-time' },
      source: { type: 'string', const: SOURCE },
    },
    required: ['id', 'time', 'source', 'detail-type', 'detail'],
    oneOf: details.map(([type]) => ({
      properties: {
        'detail-type': { type: 'string', const: type },
        detail: { $ref: `#/$defs/${type}` },
      },
    })),
    $defs: Object.fromEntries(details),
  };
}

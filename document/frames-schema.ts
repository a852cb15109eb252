import * as v from 'valibot';
import { schemasOf } from '../shared/contract/endpoint.ts';
import { MAX_FRAME_BYTES, PING, ref, routeActions, sync } from '../shared/contract/frames.ts';
import { serverFrames } from '../shared/contract/server-frames.ts';
import { ID_SHAPES, type JsonObject, jsonSchemaOf } from './json-schema.ts';
import { open } from './openapi.ts';

/** The JSON Schema of the frames of a WebSocket, in both directions. */
export function framesSchema(): JsonObject {
  const sent = {
    'send-sync': sentFrame(sync.action, v.strictObject(sync.fields)),
    ...Object.fromEntries(
      Object.entries(routeActions).map(([action, request]) => {
        const { path, body } = schemasOf(request);
        const fields = v.strictObject({ ref, groupId: path.entries.groupId ?? v.never(), ...body.entries });
        return [`send-${action}`, sentFrame(action, fields)];
      }),
    ),
    'send-ping': sentFrame(PING, v.strictObject({})),
  };
  const received = Object.fromEntries(
    Object.entries(serverFrames).map(([type, schema]) => [type, open(jsonSchemaOf(schema))]),
  );
  const oneOf = (frames: object) => ({
    oneOf: Object.keys(frames).map((name) => ({ $ref: `#/$defs/${name}` })),
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A frame of Tidemark’s WebSocket API',
    description: `Text of at most ${MAX_FRAME_BYTES} bytes. Frames of the service may get more fields: ignore those that you do not know.`,
    oneOf: [{ $ref: '#/$defs/sent' }, { $ref: '#/$defs/received' }],
    $defs: {
      sent: { description: 'What a client sends', ...oneOf(sent) },
      received: { description: 'What the service sends', ...oneOf(received) },
      ...sent,
      ...received,
      ...ID_SHAPES,
    },
  };
}

function sentFrame(action: string, fields: v.GenericSchema): JsonObject {
  const {
    properties = {},
    required = [],
    ...rest
  } = inDefinitions(jsonSchemaOf(fields)) as {
    readonly properties?: JsonObject;
    readonly required?: string[];
  };
  return {
    ...rest,
    properties: { action: { type: 'string', const: action }, ...properties },
    required: ['action', ...required],
  };
}

/** The shapes of ids stand here, where the OpenAPI document has them among its components. */
function inDefinitions(json: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(json).replaceAll('#/components/schemas/', '#/$defs/'));
}

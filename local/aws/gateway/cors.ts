import type { IncomingHttpHeaders } from 'node:http';
import type { HttpApi } from '../cloudformation/properties.ts';

export type CorsConfiguration = NonNullable<HttpApi['CorsConfiguration']>;

type Headers = Readonly<Record<string, string | string[]>>;

/**
 * The headers by which an HTTP API lets pages of other origins call
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html).
 */
export class Cors {
  readonly #configuration: CorsConfiguration;
  readonly #alsoAllows: (origin: string) => boolean;

  /** @param alsoAllows whether to allow an origin that is not in the configuration's list */
  constructor(configuration: CorsConfiguration, alsoAllows: (origin: string) => boolean) {
    this.#configuration = configuration;
    this.#alsoAllows = alsoAllows;
  }

  /** The headers of a preflight's answer; none unless the origin, the method and every header are allowed. */
  preflightHeaders(headers: IncomingHttpHeaders): Headers {
    const { AllowMethods, AllowHeaders, MaxAge } = this.#configuration;
    const {
      origin,
      'access-control-request-method': method = '',
      'access-control-request-headers': names = '',
    } = headers;
    if (!this.#allows(origin) || !AllowMethods.includes(method) || !this.#allowsHeaders(names)) return {};
    return {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': AllowMethods.join(','),
      'access-control-allow-headers': AllowHeaders.join(','),
      'access-control-max-age': String(MaxAge),
      vary: 'Origin',
    };
  }

  /** An answer's headers for a caller of this origin. As on AWS, the function's own CORS headers are removed. */
  answerHeaders(headers: Headers, origin: string | undefined): Headers {
    const own = Object.entries(headers).filter(([name]) => !/^access-control-/i.test(name));
    if (!this.#allows(origin)) return Object.fromEntries(own);
    const varying = own.filter(([name]) => /^vary$/i.test(name));
    return {
      ...Object.fromEntries(own.filter((header) => !varying.includes(header))),
      'access-control-allow-origin': origin,
      'access-control-expose-headers': this.#configuration.ExposeHeaders.join(','),
      vary: [...varying.flatMap(([, value]) => value), 'Origin'].join(', '),
    };
  }

  #allows(origin: string | undefined): origin is string {
    if (origin === undefined) return false;
    return this.#configuration.AllowOrigins.includes(origin) || this.#alsoAllows(origin);
  }

  #allowsHeaders(requested: string): boolean {
    const allowed = this.#configuration.AllowHeaders.map((name) => name.toLowerCase());
    const names = requested.split(',').map((name) => name.trim().toLowerCase());
    return names.every((name) => name === '' || allowed.includes(name));
  }
}

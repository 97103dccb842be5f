/** What the OData surface calls its errors. Existing clients read them. */
export type FaultCode =
  | 'NotSpecified'
  | 'RequestError'
  | 'Unauthorized'
  | 'Forbidden'
  | 'ContentAlreadyExists'
  | 'ResourceNotFound'
  | 'UnknownAction'
  | 'IllegalInvoke'
  | 'VersionMismatch'
  | 'RequestTooLarge'
  | 'QuotaExceeded'
  | 'TooManyRequests'
  | 'ServiceUnavailable';

/** An expected failure of the OData surface, with words for the caller. */
export class ODataFault extends Error {
  constructor(
    readonly status: number,
    readonly code: FaultCode,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
    this.name = 'ODataFault';
  }
}

/** The request cannot be understood as it stands. */
export const badRequest = (message: string) => new ODataFault(400, 'RequestError', message);

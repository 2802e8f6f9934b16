/** What the strict server refuses, as AWS words it. */
export class S3Error extends Error {
  readonly status: number;
  readonly code: string;
  /** Elements that AWS adds to the error's XML. */
  readonly details: Readonly<Record<string, string>>;
  constructor(status: number, code: string, message: string, details: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'S3Error';
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

export const noSuchKey = (key: string) => new S3Error(404, 'NoSuchKey', 'The specified key does not exist.', { Key: key });
export const preconditionFailed = (condition: string) =>
  new S3Error(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', { Condition: condition });
export const invalidRequest = (message: string) => new S3Error(400, 'InvalidRequest', message);
export const notImplemented = (header: string) =>
  new S3Error(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented', { Header: header });

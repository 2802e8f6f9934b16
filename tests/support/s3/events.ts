/** S3 event notifications, in the shape that S3 sends to SQS and that MinIO posts to a webhook (which adds EventName and Key around it). */

export interface S3EventRecord {
  readonly eventVersion: '2.1';
  readonly eventSource: 'aws:s3';
  readonly awsRegion: string;
  readonly eventTime: string;
  readonly eventName: string;
  readonly userIdentity: { readonly principalId: string };
  readonly requestParameters: { readonly sourceIPAddress: string };
  readonly responseElements: { readonly 'x-amz-request-id': string; readonly 'x-amz-id-2': string };
  readonly s3: {
    readonly s3SchemaVersion: '1.0';
    readonly configurationId: string;
    readonly bucket: { readonly name: string; readonly ownerIdentity: { readonly principalId: string }; readonly arn: string };
    readonly object: { readonly key: string; readonly size?: number; readonly eTag?: string; readonly sequencer: string };
  };
}

export interface S3Event {
  readonly EventName: string;
  readonly Key: string;
  readonly Records: readonly S3EventRecord[];
}

export interface S3Change {
  /** `ObjectCreated:Put`, `ObjectCreated:Copy`, `ObjectCreated:CompleteMultipartUpload`, `ObjectRemoved:Delete`. */
  readonly name: string;
  readonly bucket: string;
  readonly region: string;
  readonly key: string;
  readonly size?: number;
  /** Without quotes. */
  readonly etag?: string;
  readonly atMs: number;
  /** Rises with every change. */
  readonly sequence: number;
  readonly requestId: string;
}

export function makeS3Event(change: S3Change): S3Event {
  // In events, unlike in URLs, a space is `+` and a slash stands as it is.
  const key = encodeURIComponent(change.key).replaceAll('%20', '+').replaceAll('%2F', '/');
  const record: S3EventRecord = {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    awsRegion: change.region,
    eventTime: new Date(change.atMs).toISOString(),
    eventName: change.name,
    userIdentity: { principalId: 'AWS:STRICTS3' },
    requestParameters: { sourceIPAddress: '127.0.0.1' },
    responseElements: { 'x-amz-request-id': change.requestId, 'x-amz-id-2': change.requestId },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: 'strict-s3',
      bucket: { name: change.bucket, ownerIdentity: { principalId: 'STRICTS3' }, arn: `arn:aws:s3:::${change.bucket}` },
      object: { key, size: change.size, eTag: change.etag, sequencer: change.sequence.toString(16).toUpperCase().padStart(18, '0') },
    },
  };
  return { EventName: `s3:${change.name}`, Key: `${change.bucket}/${change.key}`, Records: [record] };
}

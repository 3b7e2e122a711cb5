"""Uploads in parts, as S3's REST interface has them."""

from xml.sax.saxutils import escape

from local.aws.bodies import receive
from local.aws.object_calls import COPY_SOURCE, Call, bucket_and_key, elements, iso, span, text_of, xml_answer
from local.aws.objects import ObjectStore, StoreError
from local.aws.server import Answer


class Uploads:
    """Answers the requests of an upload in parts."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def start(self, call: Call) -> Answer:
        """CreateMultipartUpload."""
        upload = self._store.start_upload(call.bucket, call.key, call.kept_headers)
        return xml_answer(
            200,
            f"<InitiateMultipartUploadResult><Bucket>{call.bucket}</Bucket><Key>{escape(call.key)}</Key>"
            f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>",
        )

    def put_part(self, call: Call) -> Answer:
        """UploadPart and UploadPartCopy."""
        upload, number = call.parameters["uploadId"], call.number("partNumber")
        if number < 1:
            raise StoreError("InvalidArgument", 400, "partNumber must be a number from 1 to 10000.")
        with self._store.receiving() as incoming:
            if COPY_SOURCE not in call.headers:
                checksums = receive(call.body, call.headers, incoming)
                etag = self._store.put_part(upload, number, incoming)
                return Answer(200, {"etag": f'"{etag}"', **checksums})
            source, body = self._store.open(*bucket_and_key(call.headers[COPY_SOURCE]))
            with body:
                start, end, _ = span(call.headers.get("x-amz-copy-source-range"), source.size)
                body.seek(start)
                incoming.fill(body, end - start)
            etag = self._store.put_part(upload, number, incoming)
        return xml_answer(
            200,
            f"<CopyPartResult><LastModified>{iso(source.modified)}</LastModified>"
            f'<ETag>"{etag}"</ETag></CopyPartResult>',
        )

    def list_parts(self, call: Call) -> Answer:
        """ListParts."""
        entries = "".join(
            f'<Part><PartNumber>{p.number}</PartNumber><ETag>"{p.etag}"</ETag><Size>{p.size}</Size></Part>'
            for p in self._store.parts(call.parameters["uploadId"])
        )
        return xml_answer(200, f"<ListPartsResult><IsTruncated>false</IsTruncated>{entries}</ListPartsResult>")

    def finish(self, call: Call) -> Answer:
        """CompleteMultipartUpload."""
        try:
            wanted = [
                (int(text_of(part, "PartNumber")), text_of(part, "ETag").strip('"'))
                for part in elements(call.document(), "Part")
            ]
        except ValueError as error:
            raise StoreError("MalformedXML", 400, "A part's number is missing.") from error
        stored = self._store.finish_upload(call.parameters["uploadId"], wanted, call.condition)
        return xml_answer(
            200,
            f"<CompleteMultipartUploadResult><Bucket>{call.bucket}</Bucket><Key>{escape(call.key)}</Key>"
            f'<ETag>"{stored.etag}"</ETag></CompleteMultipartUploadResult>',
        )

    def drop(self, call: Call) -> Answer:
        """AbortMultipartUpload."""
        self._store.drop_upload(call.parameters["uploadId"])
        return Answer(204, {})

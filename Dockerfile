# fan in an image with nothing else: in an unpacked release, `docker build -t fan .`
#
#   docker run --rm -v "$PWD:/work:ro" -v "$SSH_AUTH_SOCK:/agent" -e SSH_AUTH_SOCK=/agent fan run deploy -R web
FROM debian:bookworm-slim AS files
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /root-of-image/etc/ssl/certs /root-of-image/var/lib/fan /root-of-image/tmp /root-of-image/work \
    && cp -L /etc/ssl/certs/ca-certificates.crt /root-of-image/etc/ssl/certs/ \
    && echo 'fan:x:1000:1000::/var/lib/fan:/sbin/nologin' >/root-of-image/etc/passwd \
    && echo 'fan:x:1000:' >/root-of-image/etc/group \
    && chmod 1777 /root-of-image/tmp \
    && chown 1000:1000 /root-of-image/var/lib/fan /root-of-image/work

FROM scratch
COPY --from=files /root-of-image /
COPY bin/fan /usr/bin/fan
ENV HOME=/var/lib/fan SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["/usr/bin/fan"]

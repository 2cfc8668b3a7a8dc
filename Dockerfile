# Builds a static binary and ships nothing else. Data lives in the volume /data. The base image is named by its patch version; whoever
# publishes the image pins it by the digest that their registry has checked.
FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /mutt . && mkdir -m 0700 /data

FROM scratch
COPY --from=build /mutt /mutt
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
ENV MUTT_DATA_DIR=/data MUTT_ADMIN_ADDR=0.0.0.0:8090 MUTT_OPS_ADDR=0.0.0.0:8081
VOLUME /data
EXPOSE 8080 8081 8090 5514/tcp 5514/udp 6514
ENTRYPOINT ["/mutt"]
CMD ["serve"]

# One image for the API, the worker and the migrations: `weir api`, `weir worker`, `weir migrate`.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /weir
RUN python -m venv /venv
COPY requirements.lock ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.11.14-slim-bookworm
RUN useradd --system --no-create-home weir
COPY --from=build /venv /venv
WORKDIR /weir
COPY worker.py ./
COPY domain domain
COPY db db
COPY providers providers
COPY activities activities
COPY workflows workflows
COPY api api
COPY cli cli
ENV PATH=/venv/bin:$PATH PYTHONPATH=/weir PYTHONUNBUFFERED=1
USER weir
EXPOSE 8080
ENTRYPOINT ["python", "-m", "cli"]
CMD ["api", "--host", "0.0.0.0"]

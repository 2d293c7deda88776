# One image for every process; the command says which (see docs/running.md). Needs DATABASE_URL, REDIS_URL,
# SECRET_KEY, ENCRYPTION_KEYS, ALLOWED_HOSTS and PUBLIC_URL in the environment.
FROM python:3.11-slim AS build
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/base.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 ENVIRONMENT=production DATA_DIR=/data
RUN useradd --create-home --uid 10001 worktool && mkdir /data && chown worktool /data
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
RUN python -c "from worktool_ai.bootstrap import compile_messages; compile_messages()"
USER worktool
EXPOSE 8000
CMD ["python", "-m", "uvicorn", "worktool_ai.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--no-access-log"]

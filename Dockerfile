# One image for consoles, workers and commands; compose.yaml says which is which.
FROM python:3.11-slim-bookworm

# pg_dump and pg_restore, for manage.py backup and restore. They must not be older than the server: bookworm has 15.
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home echoadmin \
    && install -d -o echoadmin -g echoadmin -m 0700 /data

WORKDIR /opt/echoadmin
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY manage.py ./
COPY echoadmin echoadmin
COPY personas personas
COPY conversations conversations
RUN python -m compileall -q echoadmin personas conversations

ENV PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8000 ECHOADMIN_DATA=/data
USER echoadmin
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=5)"]
CMD ["python", "manage.py", "serve"]

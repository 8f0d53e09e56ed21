"""Rules for databases: PostgreSQL, MySQL and MariaDB, SQLite, Redis, and the pools in front of them."""

import re

from celery_runtime.errors.verdict import Rule, Verdict, attribute, by_kind, by_name, names_of, text, whole_number
from celery_runtime.text import message_of

SQLSTATES = {
    **dict.fromkeys(("40", "55P03"), "database.conflict"),  # serialization failure or deadlock; a lock not available
    # Connection; read-only in a failover; ended while idle; out of connections, memory or disk; shut down; system.
    **dict.fromkeys(("08", "25006", "25P03", "53", "57P", "58"), "database.unavailable"),
    **dict.fromkeys(("25P04", "57014"), "database.timeout"),
    **dict.fromkeys(("28", "3D000"), "database.auth"),  # the latter: no such database
}
MYSQL_NUMBERS = {
    **dict.fromkeys((1040, 1053, 1129, 1203, 1226, 1290, 1836, 1927, 4031), "database.unavailable"),
    **dict.fromkeys((*range(1158, 1162), 2002, 2003, 2006, 2013, 2055), "database.unavailable"),  # of the connection
    **dict.fromkeys((1205, 1213, 3572), "database.conflict"),
    **dict.fromkeys((1044, 1045, 1049, 1130, 1698), "database.auth"),
    **dict.fromkeys((1317, 1969, 3024), "database.timeout"),
    2005: "network.dns",
}
SQLITE_CODES = {
    **dict.fromkeys((5, 6), "database.conflict"),  # busy, locked
    9: "database.timeout",  # interrupted
    **dict.fromkeys((10, 13), "database.unavailable"),  # disk error, disk full
}
REDIS_PREFIXES = {
    **dict.fromkeys(("NOAUTH", "WRONGPASS", "NOPERM"), "database.auth"),
    **dict.fromkeys(("BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF"), "database.unavailable"),
    **dict.fromkeys(("NOREPLICAS", "OOM", "READONLY", "TRYAGAIN"), "database.unavailable"),
    "UNBLOCKED": "database.unavailable",  # of who waited, in a failover
}
REDIS_MESSAGES = {
    "max number of clients": "database.unavailable",
    "No connection available": "database.pool",  # of a BlockingConnectionPool
    "closed by server": "network.disconnected",
}
# PostgreSQL tells no code when a login or a connection fails: the text is all there is. A server that
# speaks another language ends as database.unclear.
POSTGRESQL_MESSAGES = {
    r"authentication failed|no password supplied|does not exist|pg_hba\.conf": "database.auth",
    r"permission denied for database|is not permitted to log in": "database.auth",
    r"could not translate host name|failed to resolve host": "network.dns",
    r"certificate verify failed": "network.tls",
    r"too many (clients|connections)|connection slots|starting up|shutting down|in recovery": "database.unavailable",
    r"Connection refused|[Ii]s the server running|timeout expired|SSL SYSCALL": "database.unavailable",
    r"connection (is|has been|already) (closed|lost)|closed the connection": "database.unavailable",
    r"terminating connection": "database.unavailable",
}
# The exceptions of PEP 249, which every driver has.
DRIVERS = "aiomysql asyncmy asyncpg django mysql MySQLdb oracledb psycopg psycopg2 pymysql sqlalchemy sqlite3"
PEP_249 = {
    **dict.fromkeys(("DataError", "IntegrityError", "NotSupportedError", "ProgrammingError"), "database.query"),
    **dict.fromkeys(("DatabaseError", "InterfaceError", "InternalError", "OperationalError"), "database.unclear"),
}


def sqlstate(error: BaseException) -> Verdict | None:
    code = attribute(error, "sqlstate") or attribute(error, "pgcode")
    # HY is a general error, and XX an internal one.
    if not isinstance(code, str) or not re.fullmatch(r"(?!HY|XX)[0-9A-Z]{5}", code):
        return None
    kinds = (SQLSTATES[code[:length]] for length in (5, 3, 2) if code[:length] in SQLSTATES)
    return Verdict(next(kinds, "database.query"), code=code)


def postgresql(error: BaseException) -> Verdict | None:
    if {"psycopg.Error", "psycopg2.Error"}.isdisjoint(names_of(error)):
        return None
    message = message_of(error)
    return next((Verdict(kind) for pattern, kind in POSTGRESQL_MESSAGES.items() if re.search(pattern, message)), None)


def mysql(error: BaseException) -> Verdict | None:
    names = names_of(error)
    if {"pymysql.Error", "MySQLdb.Error", "mysql.Error", "asyncmy.Error"}.isdisjoint(names):
        return None
    number = whole_number(attribute(error, "errno"))
    if number is None and (arguments := attribute(error, "args")):
        number = whole_number(arguments[0])
    if number in MYSQL_NUMBERS:
        return Verdict(MYSQL_NUMBERS[number], code=str(number))
    if number == 0 and "pymysql.InterfaceError" in names:  # its connection was killed before
        return Verdict("database.unavailable")
    return None


def sqlite(error: BaseException) -> Verdict | None:
    code = whole_number(attribute(error, "sqlite_errorcode"))
    if code is None or "sqlite3.Error" not in names_of(error):
        return None
    kind = SQLITE_CODES.get(code & 0xFF, "database.query")  # what is above tells variants of it apart
    return Verdict(kind, code=text(attribute(error, "sqlite_errorname")))


def redis(error: BaseException) -> Verdict | None:
    names = names_of(error)
    if "redis.RedisError" not in names:
        return None
    message = message_of(error)
    prefix = message.rpartition(" of pipeline caused error: ")[2].partition(" ")[0]
    if prefix in REDIS_PREFIXES:
        return Verdict(REDIS_PREFIXES[prefix], code=prefix)
    if "redis.ConnectionError" in names:
        return next((Verdict(kind) for part, kind in REDIS_MESSAGES.items() if part in message), None)
    return None


# Most of Redis's are a redis.ConnectionError too, which says no more than that there was none.
# A PendingRollbackError says that the connection was lost before.
named = by_kind(
    {
        "database.auth": "redis.AuthenticationError redis.AuthenticationWrongNumberOfArgsError "
        "redis.AuthorizationError redis.NoPermissionError",
        "database.conflict": "redis.LockError redis.WatchError",
        "database.pool": "psycopg2.PoolError psycopg_pool.PoolClosed psycopg_pool.PoolTimeout "
        "psycopg_pool.TooManyRequests redis.MaxConnectionsError sqlalchemy.TimeoutError",
        "database.query": "redis.ResponseError",
        "database.unavailable": "redis.BusyLoadingError redis.ClusterDownError redis.MasterDownError "
        "redis.OutOfMemoryError redis.ReadOnlyError redis.TryAgainError sqlalchemy.PendingRollbackError",
    }
)


def invalidated(error: BaseException) -> Verdict | None:
    """SQLAlchemy has seen that the connection is gone, whatever its driver says."""
    return Verdict("database.unavailable") if attribute(error, "connection_invalidated") is True else None


# Tells a wrong statement from a lost connection.
unclear = by_name({f"{driver}.{name}": kind for driver in DRIVERS.split() for name, kind in PEP_249.items()})

# MySQL's numbers are more exact than the SQLSTATE that PyMySQL adds.
RULES: list[Rule] = [redis, named, mysql, sqlstate, postgresql, sqlite]

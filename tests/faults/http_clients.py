"""A JSON document fetched by each of the HTTP libraries; environment variables for proxies are ignored."""

import asyncio
import json
import urllib.request

import aiohttp
import httpx
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


def by_urllib(url: str, timeout: float) -> object:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=timeout) as response:
        return json.load(response)


def by_requests(url: str, timeout: float) -> object:
    with requests.Session() as session:
        session.trust_env = False
        response = session.get(url, timeout=timeout)
        response.raise_for_status()
        return response.json()


def by_requests_with_retry(url: str, timeout: float) -> object:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HTTPAdapter(max_retries=Retry(total=1, status_forcelist=[429, 503])))
        return session.get(url, timeout=timeout).json()


def by_httpx(url: str, timeout: float) -> object:
    with httpx.Client(timeout=timeout, trust_env=False) as client:
        return client.get(url).raise_for_status().json()


def by_httpx_async(url: str, timeout: float) -> object:
    async def get() -> object:
        async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
            return (await client.get(url)).raise_for_status().json()

    return asyncio.run(get())


def by_aiohttp(url: str, timeout: float) -> object:
    return asyncio.run(_by_aiohttp(url, aiohttp.ClientTimeout(sock_connect=timeout, sock_read=timeout)))


def by_aiohttp_in_total(url: str, timeout: float) -> object:
    return asyncio.run(_by_aiohttp(url, aiohttp.ClientTimeout(total=timeout)))


async def _by_aiohttp(url: str, timeout: aiohttp.ClientTimeout) -> object:
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
        response.raise_for_status()
        return await response.json()

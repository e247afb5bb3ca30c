"""HTTP/1.0 on either side: old clients, old back-ends."""

import http.client

import pytest

from peers.backend import answer


def test_answers_an_old_client_and_closes(proxy, backend, client):
    origin = backend()
    connection = client(proxy(origin))
    answered = connection.ask(version="1.0")
    assert (answered.status, answered.text) == (200, "backend")
    assert connection.at_end()


def test_serves_an_old_client_without_a_host(proxy, backend, client):
    origin = backend()
    assert client(proxy(origin)).ask(version="1.0", host=None).status == 200
    assert origin.hits == 1


def test_keeps_an_old_client_that_asks_for_it(proxy, backend, client):
    connection = client(proxy(backend()))
    for _ in range(3):
        answered = connection.ask(version="1.0", fields="Connection: keep-alive\r\n")
        assert "keep-alive" in answered.fields.tokens("Connection")


def test_turns_a_chunked_answer_into_one_that_ends_for_an_old_client(proxy, backend, client):
    origin = backend(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    )
    connection = client(proxy(origin))
    answered = connection.ask(version="1.0")
    assert answered.body == b"onetwo"
    assert not answered.fields.has("Transfer-Encoding")
    assert connection.at_end()


def test_sends_no_interim_answer_to_an_old_client(proxy, backend, client):
    origin = backend(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer("final"))
    answered = client(proxy(origin)).ask(version="1.0")
    assert (answered.status, answered.interim) == (200, [])


def test_speaks_with_an_old_backend(proxy, backend, client):
    def old(connection):
        request = connection.read_request()
        connection.send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", request.body or b"old")

    connection = client(proxy(backend(serve=old)))
    first = connection.ask()
    assert (first.version, first.body) == ("1.1", b"old")
    assert connection.ask(method="POST", body=b"posted").body == b"posted"


def test_does_not_keep_a_connection_to_an_old_backend(proxy, backend, client):
    def old(connection):
        connection.read_request()
        connection.send("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold")

    origin = backend(serve=old)
    connection = client(proxy(origin))
    assert [connection.ask().text for _ in range(3)] == ["old"] * 3
    assert origin.accepted == 3


def test_keeps_a_connection_to_an_old_backend_that_offers_it(proxy, backend, client):
    origin = backend(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nold")
    connection = client(proxy(origin))
    for _ in range(3):
        answered = connection.ask()
        assert answered.text == "old"
        assert not answered.fields.has("Keep-Alive")
    assert origin.accepted <= 3


def test_serves_the_python_client_with_either_version(proxy, nginx):
    pound = proxy(nginx)
    for version, text in ((10, "HTTP/1.0"), (11, "HTTP/1.1")):
        connection = http.client.HTTPConnection("127.0.0.1", pound.port, timeout=10)
        connection._http_vsn, connection._http_vsn_str = version, text
        connection.request("GET", "/whoami", headers={"Host": "localhost"})
        response = connection.getresponse()
        assert (response.status, response.read().startswith(b"nginx GET /whoami")) == (200, True)
        connection.close()


@pytest.mark.parametrize("version", ["0.9", "1.2", "2.0", "3.0"])
def test_refuses_versions_it_does_not_speak(proxy, backend, client, version):
    origin = backend()
    connection = client(proxy(origin))
    connection.send_request(version=version)
    assert connection.read_answer().status in (400, 505)
    assert connection.at_end()
    assert origin.hits == 0

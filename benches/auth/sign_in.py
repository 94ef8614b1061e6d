#!/usr/bin/env python3
"""Sign-in load: `timing N` compares known and unknown addresses by rank, `load CLIENTS SECONDS` signs in repeatedly, `me` prints
a request of a signed-in user for wrk."""
import http.client, json, math, random, sys, threading, time

SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { code } } }"
SIGN_UP = "mutation($input: SignUpInput!) { signUp(input: $input) { accessToken userErrors { code } } }"


def send(conn, query, **fields):
    body = json.dumps({"query": query, "variables": {"input": fields}})
    conn.request("POST", "/graphql", body, {"content-type": "application/json"})
    return json.loads(conn.getresponse().read())["data"]


def connection():
    return http.client.HTTPConnection("127.0.0.1", 8089)


def sign_up(name):
    fields = {"email": f"{name}@example.com", "password": "correct horse", "name": name}
    return send(connection(), SIGN_UP, **fields)["signUp"]["accessToken"]


def rank_test(a, b):
    """Mann-Whitney test: the probability that a value of a is greater than one of b, and the two-sided p-value."""
    ranked = sorted((value, group) for group, values in ((0, a), (1, b)) for value in values)
    ranks = sum(rank for rank, (_, group) in enumerate(ranked, 1) if group == 0)
    u = ranks - len(a) * (len(a) + 1) / 2
    spread = math.sqrt(len(a) * len(b) * (len(a) + len(b) + 1) / 12)
    z = (u - len(a) * len(b) / 2) / spread
    return u / (len(a) * len(b)), math.erfc(abs(z) / math.sqrt(2))


def timing(count):
    sign_up("known")
    conn, times = connection(), {"known": [], "unknown": []}
    for name in random.sample(["known", "unknown"] * count, 2 * count):
        began = time.perf_counter()
        response = send(conn, SIGN_IN, email=f"{name}@example.com", password="wrong horse")
        times[name].append((time.perf_counter() - began) * 1000)
        assert response["signIn"]["userErrors"][0]["code"] == "INVALID_CREDENTIALS"
    for name, values in times.items():
        values = sorted(values)
        print(f"{name}: {len(values)} sign-ins, median {values[len(values) // 2]:.2f} ms")
    chance, p = rank_test(times["known"], times["unknown"])
    print(f"rank test: a known address is slower in {chance:.3f} of pairs, p = {p:.2f}")


def load(clients, seconds):
    sign_up("busy")
    done, end = [0] * clients, time.time() + seconds

    def client(index):
        conn = connection()
        while time.time() < end:
            send(conn, SIGN_IN, email="busy@example.com", password="correct horse")
            done[index] += 1

    threads = [threading.Thread(target=client, args=(index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{sum(done) / seconds:.0f} sign-ins/s")


match sys.argv[1:]:
    case ["timing", count]:
        timing(int(count))
    case ["load", clients, seconds]:
        load(int(clients), float(seconds))
    case ["me"]:
        print(f"{sign_up('reader')}\t" + json.dumps({"query": "{ me { id email name createdAt } }"}))

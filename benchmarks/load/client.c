/* The connections that put load on a server, and check all that comes back.
 *
 * What a task sends, and what has to come back:
 *   echo, hold   messages; the same messages
 *   sink         batches of messages, and "?" after each; how many messages and bytes
 *                the server has, and the last of the messages
 *   flood        CYCLE messages; these, over and over, until we close
 *   broadcast    the first connection sends messages; each goes to all connections
 *   connect      nothing: connections are opened and closed
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    struct link link; /* first: epoll knows it */
    struct reader reader;
    unsigned index;
    bool shaken, close_sent, closed;
    uint64_t quota, sent, received;
    uint64_t *sent_at;   /* when each message in flight was queued: a ring */
    uint64_t have;       /* bytes of this message so far */
    unsigned char *got;  /* a response, or a message that is checked as a whole */
    size_t got_room;
    struct past past;
};

enum phase phase = WARM_UP;
uint64_t received_total, sent_total, wire_total;
unsigned closed_total;

static struct client *clients;
static struct addrinfo *addresses;
static uint64_t *arrivals; /* of a broadcast: how many have it; a ring */
static uint64_t complete;  /* broadcasts that all have */
static size_t batch;

static const struct reader_rules rules;

/* ---- small things ---- */

static bool wrong(const struct client *c, const char *what)
{
    return fail(c->index, c->received, "%s", what);
}

static bool refuse(void *owner, const char *what) { return wrong(owner, what); }

static unsigned sequence_of(const struct client *c)
{
    return options.task == BROADCAST ? 0 : c->index;
}

/* The message that has to come next. */
static const struct payload *awaited(const struct client *c)
{
    uint64_t number = options.task == FLOOD ? c->received % CYCLE : c->received;
    return payload_of(sequence_of(c), number);
}

static unsigned char *room_for(struct client *c, size_t size)
{
    if (c->got_room < size)
        c->got = checked(realloc(c->got, c->got_room = 2 * size));
    return c->got;
}

/* ---- what is sent ---- */

static void queue_message(struct client *c, uint64_t now, uint64_t ring)
{
    const struct payload *payload = payload_of(sequence_of(c), c->sent);
    int kind = FIN | (options.text ? TEXT : BINARY);
    if (options.raw) {
        memcpy(reserve(&c->link, payload->size), payload->data, payload->size);
        c->link.out_end += payload->size;
    } else if (options.deflate) {
        queue_frame(&c->link, kind | RSV1, true, payload->wire, payload->wire_size);
    } else {
        queue_frame(&c->link, kind, true, payload->data, payload->size);
    }
    c->sent_at[ring] = now;
    c->sent++;
    sent_total++;
}

static void queue_batch(struct client *c, uint64_t now)
{
    uint64_t ring = c->sent / batch % BATCHES;
    for (size_t i = 0; i < batch; i++)
        queue_message(c, now, ring);
    queue_frame(&c->link, FIN | TEXT, true, (const unsigned char *)"?", 1);
}

static bool may_send(const struct client *c)
{
    if (phase > MEASURE || c->sent >= c->quota)
        return false;
    switch (options.task) {
    case SINK: return c->sent - c->received < BATCHES * batch;
    case FLOOD: return c->sent < CYCLE;
    case BROADCAST: return c->index == 0 && c->sent - complete < options.in_flight;
    case CONNECT: return false;
    default: return c->sent - c->received < options.in_flight;
    }
}

static bool refill(struct client *c, uint64_t now)
{
    while (may_send(c)) {
        if (options.task == SINK)
            queue_batch(c, now);
        else
            queue_message(c, now, c->sent % options.in_flight);
    }
    return flush(&c->link) || fail(c->index, c->received, "cannot write: %s",
                                   strerror(errno));
}

/* ---- what comes back: messages ---- */

/* Whether this message is collected before it is checked. */
static bool as_a_whole(const struct client *c)
{
    return options.task == SINK || c->reader.compressed;
}

static bool begin_message(void *owner)
{
    struct client *c = owner;
    uint64_t sent = options.task == BROADCAST ? clients[0].sent
                    : options.task == FLOOD   ? c->sent < CYCLE ? 0 : UINT64_MAX
                                              : c->sent;
    if (c->received >= sent || (c->close_sent && options.task != FLOOD))
        return wrong(c, "a message that nobody sent");
    if (c->reader.compressed && !options.deflate)
        return wrong(c, "compressed, which was not agreed on");
    if (c->reader.kind != (options.text ? TEXT : BINARY))
        return wrong(c, "text instead of binary, or the other way round");
    if (!as_a_whole(c) && c->have + c->reader.left > awaited(c)->size)
        return wrong(c, "longer than what was sent");
    if (c->have + c->reader.left > UINT32_MAX)
        return wrong(c, "too long");
    return true;
}

/* Compare the next bytes of a message with those that were sent. */
static bool take_bytes(void *owner, unsigned char *data, size_t size)
{
    struct client *c = owner;
    wire_total += size;
    if (as_a_whole(c)) {
        memcpy(room_for(c, c->have + size) + c->have, data, size);
    } else if (memcmp(data, awaited(c)->data + c->have, size) != 0) {
        const unsigned char *wanted = awaited(c)->data + c->have;
        size_t i = 0;
        while (data[i] == wanted[i])
            i++;
        return fail(c->index, c->received, "byte %" PRIu64 " is 0x%02x, sent was 0x%02x",
                    c->have + i, data[i], wanted[i]);
    }
    c->have += size;
    return true;
}

/* The answer to "?": what the sink has swallowed so far. */
static bool check_answer(struct client *c)
{
    uint64_t count = c->received + batch;
    const struct payload *last = payload_of(c->index, count - 1);
    char counts[64];
    size_t size = (size_t)snprintf(counts, sizeof counts, "%" PRIu64 " %" PRIu64 " ",
                                   count, count * last->size);
    return (c->have == size + last->size && memcmp(c->got, counts, size) == 0
            && memcmp(c->got + size, last->data, last->size) == 0)
           || fail(c->index, count, "the server did not get what was sent: %.*s",
                   (int)(c->have < 40 ? c->have : 40), c->got);
}

static bool check_message(struct client *c)
{
    if (options.task == SINK)
        return check_answer(c);
    if (c->reader.compressed) {
        const char *what = check_squeezed(&c->past, sequence_of(c), c->received, c->got,
                                          (size_t)c->have);
        return what == NULL || wrong(c, what);
    }
    if (options.deflate)
        note_plain(&c->past, c->received);
    return c->have == awaited(c)->size || wrong(c, "shorter than what was sent");
}

/* One more has this broadcast; the sender may go on when all have it. */
static bool count_arrival(uint64_t number, uint64_t now)
{
    uint64_t *count = &arrivals[number % options.in_flight];
    if (++*count < options.connections)
        return true;
    *count = 0;
    complete++;
    if (phase == MEASURE)
        note_latency(now - clients[0].sent_at[number % options.in_flight]);
    return refill(&clients[0], now);
}

static bool finish_message(void *owner, uint64_t now)
{
    struct client *c = owner;
    uint64_t number = c->received, step = options.task == SINK ? batch : 1;
    if (!options.raw && !check_message(c))
        return false;
    if (phase == MEASURE && options.task == SINK)
        note_latency(now - c->sent_at[number / batch % BATCHES]);
    else if (phase == MEASURE && (options.task == ECHO || options.task == HOLD))
        note_latency(now - c->sent_at[number % options.in_flight]);
    c->have = 0;
    c->received += step;
    received_total += step;
    return options.task != BROADCAST || count_arrival(number, now);
}

static bool consume_raw(struct client *c, unsigned char *data, size_t size, uint64_t now)
{
    while (size > 0) {
        if (c->received == c->sent)
            return wrong(c, "more bytes than were sent");
        size_t left = awaited(c)->size - (size_t)c->have;
        size_t part = left < size ? left : size;
        if (!take_bytes(c, data, part))
            return false;
        data += part;
        size -= part;
        if (part == left)
            finish_message(c, now);
    }
    return true;
}

/* ---- connecting ---- */

static void set_no_delay(int fd)
{
    const int on = 1;
    const struct timeval timeout = {.tv_sec = (time_t)options.stall};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

/* Where many connections come and go, one address has not enough ports. */
static void choose_source(int fd, unsigned index)
{
    const int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET};
    if (addresses->ai_family != AF_INET || strncmp(options.host, "127.", 4) != 0)
        return;
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + index % 250);
    setsockopt(fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&source, sizeof source) != 0)
        die("bind");
}

static bool dial(struct client *c, int flags)
{
    c->link.fd = socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (c->link.fd < 0)
        die("socket");
    set_no_delay(c->link.fd);
    choose_source(c->link.fd, c->index);
    return connect(c->link.fd, addresses->ai_addr, addresses->ai_addrlen) == 0
           || errno == EINPROGRESS
           || fail(c->index, c->received, "cannot connect: %s", strerror(errno));
}

/* Queue the request; whether it can be sent shows later. */
static void queue_request(struct client *c)
{
    char request[2048];
    if (!make_request(request, sizeof request))
        die("the path or the host is too long");
    size_t size = strlen(request);
    memcpy(reserve(&c->link, size), request, size);
    c->link.out_end += size;
}

/* Take bytes of the response; what follows it is parsed as frames. */
static bool take_response(struct client *c, const unsigned char *data, size_t size,
                          uint64_t now)
{
    if (c->have + size > HEAD_SIZE)
        return wrong(c, "the response to the opening handshake is too long");
    char *response = (char *)room_for(c, HEAD_SIZE + 1);
    memcpy(response + c->have, data, size);
    c->have += size;
    response[c->have] = '\0';
    char *end = strstr(response, "\r\n\r\n");
    if (end == NULL)
        return true;
    size_t extra = c->have - (size_t)(end + 4 - response);
    end[2] = '\0';
    const char *what = check_response(response);
    if (what != NULL)
        return fail(c->index, 0, "%s: %.*s", what, (int)strcspn(response, "\r"),
                    response);
    c->shaken = true;
    c->have = 0;
    unsigned char *rest = memmove(checked(malloc(extra + 1)), end + 4, extra);
    bool fine = consume(&c->reader, c, rest, extra, now);
    free(rest);
    return fine;
}

/* The opening handshake on a socket that still blocks, then no longer. */
static bool shake_hands(struct client *c)
{
    unsigned char data[4096];
    if (options.tls && !start_tls(&c->link))
        return wrong(c, "the TLS handshake failed");
    if (options.raw)
        return true;
    queue_request(c);
    if (!flush(&c->link) || c->link.out_start < c->link.out_end)
        return wrong(c, "cannot send the request");
    while (!c->shaken) {
        ssize_t size = options.tls ? pull(&c->link, data, sizeof data)
                                   : recv(c->link.fd, data, sizeof data, 0);
        if (size <= 0)
            return wrong(c, "no whole response to the opening handshake");
        if (!take_response(c, data, (size_t)size, now_ns()))
            return false;
    }
    return true;
}

/* Of the task `connect`: open a connection, waiting for nothing. */
static bool redial(struct client *c)
{
    if (phase > MEASURE)
        return true;
    c->shaken = c->close_sent = c->closed = false;
    c->have = 0;
    c->reader = (struct reader){.rules = &rules};
    c->sent_at[0] = now_ns();
    c->sent++;
    sent_total++;
    if (!dial(c, SOCK_NONBLOCK))
        return false;
    queue_request(c);
    watch(&c->link, EPOLL_CTL_ADD, true);
    return true;
}

/* ---- closing ---- */

static bool send_close(struct client *c)
{
    static const unsigned char normal[2] = {1000 >> 8, 1000 & 0xff};
    queue_frame(&c->link, FIN | CLOSE, true, normal, sizeof normal);
    c->close_sent = true;
    return flush(&c->link) || wrong(c, "cannot send a closing frame");
}

static bool on_close(struct client *c)
{
    if (!c->close_sent)
        return fail(c->index, c->received, "the server closes, code %" PRIu64,
                    big_endian(c->reader.control, c->reader.control_have < 2 ? 0 : 2));
    c->closed = true;
    close_link(&c->link);
    if (options.task != CONNECT) {
        closed_total++;
        return false;
    }
    if (phase == MEASURE)
        note_latency(now_ns() - c->sent_at[0]);
    c->received++;
    received_total++;
    return false;
}

static bool on_control(void *owner)
{
    struct client *c = owner;
    if (c->reader.opcode == CLOSE)
        return on_close(c);
    if (c->reader.opcode == PING && !c->close_sent)
        queue_frame(&c->link, FIN | PONG, true, c->reader.control,
                    c->reader.control_have);
    return true;
}

static const struct reader_rules rules = {
    .masked = false,
    .refuse = refuse,
    .begin = begin_message,
    .take = take_bytes,
    .finish = finish_message,
    .control = on_control,
};

/* ---- events ---- */

static bool take(struct client *c, unsigned char *data, size_t size)
{
    uint64_t now = now_ns();
    bool fine = options.raw   ? consume_raw(c, data, size, now)
                : !c->shaken  ? take_response(c, data, size, now)
                              : consume(&c->reader, c, data, size, now);
    if (c->closed)
        return options.task != CONNECT || redial(c);
    if (fine && options.task == CONNECT && c->shaken && !c->close_sent)
        return send_close(c);
    return fine && refill(c, now);
}

static bool on_readable(struct client *c, unsigned char *scratch)
{
    do {
        ssize_t size = pull(&c->link, scratch, READ_SIZE);
        if (size < 0)
            return errno == EAGAIN || errno == EINTR
                   || fail(c->index, c->received, "cannot read: %s", strerror(errno));
        if (size == 0)
            return wrong(c, "the server went away");
        if (!take(c, scratch, (size_t)size))
            return false;
    } while (!c->closed && has_more(&c->link));
    return true;
}

bool on_event(void *client, uint32_t events, unsigned char *scratch)
{
    struct client *c = client;
    if (events & ~(uint32_t)EPOLLOUT)
        return on_readable(c, scratch);
    return refill(c, now_ns());
}

/* ---- the run ---- */

void begin_clients(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int status = getaddrinfo(options.host, options.port, &hints, &addresses);
    if (status != 0) {
        fprintf(stderr, "loadgen: %s: %s\n", options.host, gai_strerror(status));
        exit(1);
    }
    size_t most = 65536 / (options.size + 1);
    batch = most > MOST_OF_BATCH ? MOST_OF_BATCH : most < 16 ? 16 : most;
    arrivals = checked(calloc(options.in_flight, sizeof *arrivals));
}

/* A connection's share of --messages; the first ones take the remainder. */
static uint64_t find_quota(unsigned index)
{
    if (options.messages == 0)
        return UINT64_MAX;
    if (options.task == HOLD)
        return options.messages;
    return options.messages / options.connections
           + (index < options.messages % options.connections);
}

static bool open_client(struct client *c, unsigned index)
{
    size_t ring = options.in_flight > BATCHES ? options.in_flight : BATCHES;
    *c = (struct client){.index = index, .quota = find_quota(index)};
    c->reader.rules = &rules;
    c->sent_at = checked(calloc(ring, sizeof *c->sent_at));
    if (options.task == CONNECT)
        return true;
    if (!dial(c, 0) || !shake_hands(c))
        return false;
    return fcntl(c->link.fd, F_SETFL, O_NONBLOCK) == 0;
}

/* Open connections until there are so many. */
bool open_clients(unsigned count)
{
    static unsigned have;
    bool fine = true;
    if (clients == NULL)
        clients = checked(calloc(options.connections, sizeof *clients));
    for (; fine && have < count; have++)
        fine = open_client(&clients[have], have);
    return fine;
}

/* Load all connections from this one on. */
bool start_load(unsigned first)
{
    bool fine = true;
    for (unsigned i = first; fine && i < options.connections; i++) {
        if (options.task == CONNECT) {
            fine = redial(&clients[i]);
        } else if (clients[i].link.fd > 0) {
            watch(&clients[i].link, EPOLL_CTL_ADD, false);
            fine = refill(&clients[i], now_ns());
        }
    }
    return fine;
}

/* Whether everything that was sent came back. */
bool drained(void)
{
    switch (options.task) {
    case FLOOD: return true;
    case BROADCAST: return received_total == sent_total * options.connections;
    default: return received_total == sent_total;
    }
}

bool start_closing(void)
{
    bool fine = true;
    phase = options.raw || options.task == CONNECT ? DONE : CLOSING;
    for (unsigned i = 0; fine && phase != DONE && i < options.connections; i++) {
        if (clients[i].link.fd > 0)
            fine = send_close(&clients[i]);
        else
            closed_total++;
    }
    return fine;
}

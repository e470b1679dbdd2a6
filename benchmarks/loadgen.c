/* A WebSocket load generator that checks every byte it gets back.
 *
 * It opens N connections to an echo server, keeps K messages in flight on each,
 * and prints one line of JSON. A message is a window into a table of random
 * bytes; where the window starts follows from the connection and the number of
 * the message, so an echo that is late, lost, doubled, swapped or damaged is
 * noticed. Nothing is buffered on the way in: payloads are compared as they come.
 *
 * The run goes through phases: warm up, measure, drain (no new messages; the ones
 * in flight are still checked), close (the closing handshake), done.
 *
 * Exit status: 0 all well, 1 the server was wrong, 2 the command line was.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

enum {
    WINDOWS = 4096,           /* how many places a message's bytes may start at */
    READ_SIZE = 256 * 1024,   /* bytes asked for by one read */
    RESPONSE_SIZE = 16 * 1024, /* the longest opening response we accept, bytes */
    MAX_EVENTS = 512,
    SUB_BUCKETS = 64,         /* per power of two: latencies are within 1.6 % */
    BUCKETS = 60 * SUB_BUCKETS,
};

enum phase { WARM_UP, MEASURE, DRAIN, CLOSING, DONE };

struct options {
    const char *host, *port, *path;
    unsigned connections, in_flight;
    size_t size;
    bool text, raw;
    double seconds, warm_up, stall;
    uint64_t messages; /* 0: run for `seconds` */
    pid_t server_pid;  /* 0: do not measure the server's processor time */
};

struct connection {
    int fd;
    unsigned index;
    bool wants_write, close_sent, closed;

    /* Messages. */
    uint64_t quota, sent, received;
    uint64_t *sent_at; /* when each message in flight was queued: a ring */

    /* Bytes waiting to be written: out[out_start] to out[out_end - 1]. */
    unsigned char *out;
    size_t out_start, out_end, out_size;

    /* The frame being read. */
    unsigned char header[10];
    size_t header_have, header_need;
    bool in_payload, fin;
    enum opcode opcode;
    uint64_t left; /* bytes of its payload still to come */
    unsigned char control[CONTROL_SIZE];
    size_t control_have;

    /* The message being read; fragments add up. */
    bool in_message;
    uint64_t message_have;
};

static struct options options = {
    .host = "127.0.0.1", .path = "/", .connections = 1, .in_flight = 1,
    .size = 256, .seconds = 1.0, .warm_up = 0.1, .stall = 30.0,
};
static struct connection *connections;
static unsigned char *pattern; /* WINDOWS + unit bytes */
static size_t unit;            /* bytes of a message, as compared */
static int poller;
static enum phase phase = WARM_UP;
static uint64_t received_total, sent_total;
static unsigned closed_total, errors;
static uint64_t histogram[BUCKETS];
static uint64_t random_state = 0x9e3779b97f4a7c15u;

/* What is noted when measuring starts, and again when it ends. */
struct mark {
    uint64_t at, received;
    double server_cpu, own_cpu;
};

/* ---- small things ---- */

static void die(const char *what)
{
    fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *checked(void *memory)
{
    if (memory == NULL)
        die("memory");
    return memory;
}

__attribute__((format(printf, 2, 3)))
static bool fail(const struct connection *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "loadgen: connection %u, message %" PRIu64 ": ", c->index,
            c->received);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    errors++;
    return false;
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        die("clock_gettime");
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t now_ns(void) { return read_clock(CLOCK_MONOTONIC); }

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static const unsigned char *message_bytes(const struct connection *c, uint64_t number)
{
    return pattern + (c->index * 977u + number * 13u) % WINDOWS;
}

/* ---- latencies: a histogram with buckets of equal relative width ---- */

static size_t bucket_of(uint64_t value)
{
    if (value < SUB_BUCKETS)
        return value;
    unsigned shift = 63u - 6u - (unsigned)__builtin_clzll(value);
    return (shift + 1) * SUB_BUCKETS + ((value >> shift) & (SUB_BUCKETS - 1));
}

static double bucket_value(size_t bucket)
{
    if (bucket < SUB_BUCKETS)
        return (double)bucket;
    unsigned shift = (unsigned)(bucket / SUB_BUCKETS) - 1;
    double low = (double)(SUB_BUCKETS + bucket % SUB_BUCKETS);
    return (low + 0.5) * (double)(1ull << shift);
}

static double percentile_us(double share)
{
    uint64_t total = 0, seen = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        total += histogram[i];
    if (total == 0)
        return 0.0;
    uint64_t wanted = (uint64_t)(share * (double)(total - 1)) + 1;
    size_t i = 0;
    while ((seen += histogram[i]) < wanted)
        i++;
    return bucket_value(i) / 1000.0;
}

/* ---- writing ---- */

static unsigned char *reserve(struct connection *c, size_t wanted)
{
    if (c->out_start == c->out_end)
        c->out_start = c->out_end = 0;
    if (c->out_size - c->out_end < wanted && c->out_start > 0) {
        memmove(c->out, c->out + c->out_start, c->out_end - c->out_start);
        c->out_end -= c->out_start;
        c->out_start = 0;
    }
    if (c->out_size - c->out_end < wanted) {
        c->out_size = 2 * c->out_size + wanted;
        c->out = checked(realloc(c->out, c->out_size));
    }
    return c->out + c->out_end;
}

static void queue_frame(struct connection *c, enum opcode opcode,
                        const unsigned char *payload, size_t size)
{
    unsigned char *to = reserve(c, CLIENT_HEADER + size);
    size_t header = write_header(to, opcode, size);
    uint32_t key = (uint32_t)random_bits();
    memcpy(to + header, &key, 4);
    mask_into(to + header + 4, payload, size, to + header);
    c->out_end += header + 4 + size;
}

static void queue_message(struct connection *c, uint64_t now)
{
    const unsigned char *payload = message_bytes(c, c->sent);
    if (options.raw) {
        memcpy(reserve(c, unit), payload, unit);
        c->out_end += unit;
    } else {
        queue_frame(c, options.text ? TEXT : BINARY, payload, unit);
    }
    c->sent_at[c->sent % options.in_flight] = now;
    c->sent++;
    sent_total++;
}

static void refill(struct connection *c, uint64_t now)
{
    if (phase > MEASURE)
        return;
    while (c->sent - c->received < options.in_flight && c->sent < c->quota)
        queue_message(c, now);
}

static void watch(struct connection *c, int operation, bool wants_write)
{
    struct epoll_event event = {
        .events = EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0u),
        .data.ptr = c,
    };
    if (epoll_ctl(poller, operation, c->fd, &event) != 0)
        die("epoll_ctl");
    c->wants_write = wants_write;
}

static bool flush(struct connection *c)
{
    while (c->out_start < c->out_end) {
        ssize_t written = send(c->fd, c->out + c->out_start,
                               c->out_end - c->out_start,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno != EAGAIN)
            return fail(c, "cannot write: %s", strerror(errno));
        if (written < 0)
            break;
        c->out_start += (size_t)written;
    }
    bool waits = c->out_start < c->out_end;
    if (waits != c->wants_write)
        watch(c, EPOLL_CTL_MOD, waits);
    return true;
}

/* ---- reading ---- */

static void finish_message(struct connection *c, uint64_t now)
{
    if (phase == MEASURE)
        histogram[bucket_of(now - c->sent_at[c->received % options.in_flight])]++;
    c->received++;
    received_total++;
    c->message_have = 0;
    c->in_message = false;
}

/* Compare the next bytes of a message with those that were sent. */
static bool check_bytes(struct connection *c, const unsigned char *data, size_t size)
{
    const unsigned char *wanted = message_bytes(c, c->received) + c->message_have;
    if (memcmp(data, wanted, size) != 0) {
        size_t i = 0;
        while (data[i] == wanted[i])
            i++;
        return fail(c, "byte %" PRIu64 " is 0x%02x, sent was 0x%02x",
                    c->message_have + i, data[i], wanted[i]);
    }
    c->message_have += size;
    return true;
}

static bool consume_raw(struct connection *c, const unsigned char *data, size_t size,
                        uint64_t now)
{
    while (size > 0) {
        if (c->received == c->sent)
            return fail(c, "%zu bytes more than were sent", size);
        size_t part = unit - c->message_have < size ? unit - c->message_have : size;
        if (!check_bytes(c, data, part))
            return false;
        data += part;
        size -= part;
        if (c->message_have == unit)
            finish_message(c, now);
    }
    return true;
}

static bool check_data_frame(struct connection *c)
{
    if (c->received == c->sent || c->close_sent)
        return fail(c, "a message that nobody sent");
    if (c->in_message != (c->opcode == CONTINUATION))
        return fail(c, "opcode %d %s a message", c->opcode,
                    c->in_message ? "within" : "outside");
    if (!c->in_message && c->opcode != (options.text ? TEXT : BINARY))
        return fail(c, "opcode %d, sent was %d", c->opcode,
                    options.text ? TEXT : BINARY);
    if (c->left > unit - c->message_have)
        return fail(c, "longer than the %zu bytes sent", unit);
    c->in_message = true;
    return true;
}

static bool check_control_frame(struct connection *c)
{
    if (!c->fin || c->left > CONTROL_SIZE) /* RFC 6455, 5.5 */
        return fail(c, "control frame fragmented or too long");
    c->control_have = 0;
    return true;
}

/* The header is complete: take it apart and check it. */
static bool begin_frame(struct connection *c)
{
    const unsigned char *header = c->header;
    uint64_t least = header[1] == 126 ? 126 : header[1] == 127 ? 65536 : 0;
    c->fin = header[0] & 0x80;
    c->opcode = header[0] & 0x0f;
    c->left = least ? big_endian(header + 2, c->header_need - 2) : header[1];
    c->header_have = 0;
    c->in_payload = true;
    if (header[0] & 0x70) /* no extension was agreed on */
        return fail(c, "reserved bits 0x%02x set", header[0] & 0x70);
    if (header[1] & 0x80) /* RFC 6455, 5.1 */
        return fail(c, "the server masked a frame");
    if (c->left < least || c->left >> 63)
        return fail(c, "length %" PRIu64 " written in the wrong form", c->left);
    if (c->opcode <= BINARY)
        return check_data_frame(c);
    if (c->opcode >= CLOSE && c->opcode <= PONG)
        return check_control_frame(c);
    return fail(c, "opcode %d", c->opcode);
}

static bool finish_close(struct connection *c)
{
    if (!c->close_sent)
        return fail(c, "the server closes, code %" PRIu64,
                    big_endian(c->control, c->control_have < 2 ? 0 : 2));
    c->closed = true;
    closed_total++;
    if (close(c->fd) != 0) /* epoll forgets it, too */
        die("close");
    return true;
}

static bool finish_frame(struct connection *c, uint64_t now)
{
    c->in_payload = false;
    if (c->opcode == CLOSE)
        return finish_close(c);
    if (c->opcode == PING)
        queue_frame(c, PONG, c->control, c->control_have);
    if (c->opcode > BINARY || !c->fin)
        return true;
    if (c->message_have != unit)
        return fail(c, "%" PRIu64 " bytes, sent were %zu", c->message_have, unit);
    finish_message(c, now);
    return true;
}

static bool take_payload(struct connection *c, const unsigned char *data, size_t size)
{
    c->left -= size;
    if (c->opcode <= BINARY)
        return check_bytes(c, data, size);
    memcpy(c->control + c->control_have, data, size);
    c->control_have += size;
    return true;
}

static size_t take_header(struct connection *c, const unsigned char *data, size_t size)
{
    size_t used = 0;
    while (used < size) {
        c->header[c->header_have++] = data[used++];
        if (c->header_have == 2)
            c->header_need = header_size(c->header);
        if (c->header_have >= 2 && c->header_have == c->header_need)
            break;
    }
    return used;
}

/* Take the bytes of one read apart, wherever frames begin and end in them. */
static bool consume(struct connection *c, const unsigned char *data, size_t size,
                    uint64_t now)
{
    while (size > 0 && !c->closed) {
        size_t part = c->left < size ? (size_t)c->left : size;
        if (!c->in_payload) {
            part = take_header(c, data, size);
            bool whole = c->header_have >= 2 && c->header_have == c->header_need;
            if (whole && !begin_frame(c))
                return false;
        } else if (!take_payload(c, data, part)) {
            return false;
        }
        data += part;
        size -= part;
        if (c->in_payload && c->left == 0 && !finish_frame(c, now))
            return false;
    }
    return true;
}

static bool on_readable(struct connection *c, unsigned char *scratch)
{
    ssize_t size = recv(c->fd, scratch, READ_SIZE, MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR
                   || fail(c, "cannot read: %s", strerror(errno));
    if (size == 0)
        return fail(c, "the server went away");
    uint64_t now = now_ns();
    if (!(options.raw ? consume_raw : consume)(c, scratch, (size_t)size, now))
        return false;
    if (c->closed)
        return true;
    refill(c, now);
    return flush(c);
}

/* ---- connecting ---- */

static int dial(const struct addrinfo *addresses)
{
    const int on = 1;
    const struct timeval timeout = {.tv_sec = (time_t)options.stall};
    for (; addresses != NULL; addresses = addresses->ai_next) {
        int fd = socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        if (connect(fd, addresses->ai_addr, addresses->ai_addrlen) == 0)
            return fd;
        close(fd);
    }
    die("cannot connect");
    return -1;
}

/* RFC 6455, 4.1: what a client must check in the server's response. */
static bool check_response(const struct connection *c, const char *response)
{
    size_t size;
    if (strncmp(response, "HTTP/1.1 101", 12) != 0)
        return fail(c, "not switching: %.*s", (int)strcspn(response, "\r"), response);
    if (!has_header(response, "Upgrade", "websocket", strncasecmp)
        || !has_header(response, "Connection", "Upgrade", strncasecmp))
        return fail(c, "no Upgrade or Connection header");
    if (!has_header(response, "Sec-WebSocket-Accept", ACCEPT, strncmp))
        return fail(c, "wrong Sec-WebSocket-Accept");
    if (find_header(response, "Sec-WebSocket-Extensions", &size) != NULL
        || find_header(response, "Sec-WebSocket-Protocol", &size) != NULL)
        return fail(c, "an extension or subprotocol that was not offered");
    return true;
}

static bool send_request(const struct connection *c)
{
    char request[2048];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n",
                        options.path, options.host, options.port, KEY);
    if (size >= (int)sizeof request)
        return fail(c, "the path or the host is too long");
    if (send(c->fd, request, (size_t)size, MSG_NOSIGNAL) != size)
        return fail(c, "cannot send the request: %s", strerror(errno));
    return true;
}

/* The opening handshake; what follows the response is parsed as frames. */
static bool shake_hands(struct connection *c)
{
    char response[RESPONSE_SIZE + 1];
    size_t have = 0;
    char *end = NULL;
    if (!send_request(c))
        return false;
    while (end == NULL) {
        ssize_t size = have < RESPONSE_SIZE
                           ? recv(c->fd, response + have, RESPONSE_SIZE - have, 0)
                           : 0;
        if (size <= 0)
            return fail(c, "no whole response to the opening handshake");
        have += (size_t)size;
        response[have] = '\0';
        end = strstr(response, "\r\n\r\n");
    }
    end[2] = '\0';
    size_t extra = have - (size_t)(end + 4 - response);
    return check_response(c, response)
           && consume(c, (unsigned char *)end + 4, extra, now_ns());
}

static struct addrinfo *find_addresses(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses;
    int status = getaddrinfo(options.host, options.port, &hints, &addresses);
    if (status != 0) {
        fprintf(stderr, "loadgen: %s: %s\n", options.host, gai_strerror(status));
        exit(1);
    }
    return addresses;
}

/* A connection's share of --messages; the first ones take the remainder. */
static uint64_t find_quota(unsigned index)
{
    if (options.messages == 0)
        return UINT64_MAX;
    return options.messages / options.connections
           + (index < options.messages % options.connections);
}

static bool open_connections(void)
{
    struct addrinfo *addresses = find_addresses();
    bool fine = true;
    connections = checked(calloc(options.connections, sizeof *connections));
    for (unsigned i = 0; fine && i < options.connections; i++) {
        struct connection *c = &connections[i];
        c->index = i;
        c->quota = find_quota(i);
        c->sent_at = checked(calloc(options.in_flight, sizeof *c->sent_at));
        c->fd = dial(addresses);
        fine = options.raw || shake_hands(c);
    }
    freeaddrinfo(addresses);
    return fine;
}

static void fill_pattern(void)
{
    size_t size = WINDOWS + unit;
    pattern = checked(malloc(size));
    for (size_t i = 0; i < size; i++) {
        unsigned char value = (unsigned char)(random_bits() >> 32);
        pattern[i] = options.text ? (unsigned char)(' ' + value % 95) : value;
    }
}

/* ---- the run ---- */

static struct mark take_mark(void)
{
    clockid_t clock;
    struct mark mark = {.received = received_total};
    mark.own_cpu = (double)read_clock(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
    if (options.server_pid != 0) {
        if (clock_getcpuclockid(options.server_pid, &clock) != 0)
            die("the server's processor time");
        mark.server_cpu = (double)read_clock(clock) / 1e9;
    }
    mark.at = now_ns();
    return mark;
}

static bool start_load(void)
{
    for (unsigned i = 0; i < options.connections; i++) {
        struct connection *c = &connections[i];
        watch(c, EPOLL_CTL_ADD, false);
        refill(c, now_ns());
        if (!flush(c))
            return false;
    }
    return true;
}

static bool start_closing(void)
{
    static const unsigned char normal[2] = {1000 >> 8, 1000 & 0xff};
    phase = options.raw ? DONE : CLOSING;
    for (unsigned i = 0; i < options.connections && !options.raw; i++) {
        queue_frame(&connections[i], CLOSE, normal, sizeof normal);
        connections[i].close_sent = true;
        if (!flush(&connections[i]))
            return false;
    }
    return true;
}

/* Go on to the next phase when this one is over. */
static bool advance(uint64_t now, struct mark *begin, struct mark *end)
{
    const double elapsed = (double)(now - begin->at) / 1e9;
    const bool by_count = options.messages > 0;
    if (phase == WARM_UP && elapsed >= options.warm_up) {
        *begin = take_mark();
        phase = MEASURE;
    } else if (phase == MEASURE && (by_count ? received_total >= options.messages
                                             : elapsed >= options.seconds)) {
        *end = take_mark();
        phase = DRAIN;
    }
    if (phase == DRAIN && received_total == sent_total)
        return start_closing();
    if (phase == CLOSING && closed_total == options.connections)
        phase = DONE;
    return true;
}

static bool stalled(uint64_t now, uint64_t active_at)
{
    if ((double)(now - active_at) / 1e9 < options.stall)
        return false;
    fprintf(stderr, "loadgen: nothing came for %.0f s; %" PRIu64 " of %" PRIu64
            " messages are back\n", options.stall, received_total, sent_total);
    errors++;
    return true;
}

static void run(struct mark *begin, struct mark *end)
{
    static unsigned char scratch[READ_SIZE];
    static struct epoll_event events[MAX_EVENTS];
    *begin = take_mark();
    if (options.messages > 0)
        phase = MEASURE;
    bool fine = start_load();
    uint64_t now = now_ns(), active_at = now;
    while (fine && phase != DONE) {
        int count = epoll_wait(poller, events, MAX_EVENTS, 20);
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; fine && i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                fine = on_readable(c, scratch);
            else
                fine = flush(c);
        }
        now = now_ns();
        active_at = count > 0 ? now : active_at;
        fine = fine && advance(now, begin, end) && !stalled(now, active_at);
    }
    if (end->at == 0)
        *end = take_mark();
}

static void report(const struct mark *begin, const struct mark *end)
{
    double seconds = (double)(end->at - begin->at) / 1e9;
    uint64_t messages = end->received - begin->received;
    printf("{\"messages\": %" PRIu64 ", \"seconds\": %.6f, \"rate\": %.1f, "
           "\"bytes\": %" PRIu64 ", \"errors\": %u, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, ",
           messages, seconds, seconds > 0 ? (double)messages / seconds : 0.0,
           messages * options.size, errors, percentile_us(0.50), percentile_us(0.99));
    if (options.server_pid != 0)
        printf("\"server_cpu\": %.6f, ", end->server_cpu - begin->server_cpu);
    printf("\"loadgen_cpu\": %.6f, \"connections\": %u, \"in_flight\": %u, "
           "\"size\": %zu, \"kind\": \"%s\"}\n",
           end->own_cpu - begin->own_cpu, options.connections, options.in_flight,
           options.size, options.raw ? "raw" : options.text ? "text" : "binary");
}

/* ---- the command line ---- */

static const char USAGE[] =
    "usage: loadgen --port PORT [options]\n"
    "  --host HOST         where the server listens (127.0.0.1)\n"
    "  --path PATH         what the opening handshake asks for (/)\n"
    "  --connections N     connections, opened one after the other (1)\n"
    "  --in-flight K       messages on the way on each connection (1)\n"
    "  --size BYTES        payload of a message (256)\n"
    "  --text              text messages (ASCII) instead of binary ones\n"
    "  --raw               no WebSocket: bytes for a byte echo, as many as the\n"
    "                      frames would have\n"
    "  --seconds S         measure for this long (1.0)\n"
    "  --warm-up S         before that, run unmeasured for this long (0.1)\n"
    "  --messages N        instead: measure exactly N messages, no warm-up\n"
    "  --server-pid PID    also measure this process's processor time\n"
    "  --stall S           give up when nothing comes for this long (30)\n";

static void usage(const char *problem)
{
    fprintf(stderr, "loadgen: %s\n%s", problem, USAGE);
    exit(2);
}

static double number(const char *text, double least, double most)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(value >= least && value <= most))
        usage("a number is missing or out of range");
    return value;
}

static void set_option(int name, const char *value)
{
    switch (name) {
    case 'h': options.host = value; break;
    case 'p': options.port = value; break;
    case 'u': options.path = value; break;
    case 'c': options.connections = (unsigned)number(value, 1, 1e6); break;
    case 'k': options.in_flight = (unsigned)number(value, 1, 1e6); break;
    case 's': options.size = (size_t)number(value, 0, 1e9); break;
    case 't': options.text = true; break;
    case 'r': options.raw = true; break;
    case 'd': options.seconds = number(value, 0.001, 1e6); break;
    case 'w': options.warm_up = number(value, 0, 1e6); break;
    case 'n': options.messages = (uint64_t)number(value, 1, 1e15); break;
    case 'P': options.server_pid = (pid_t)number(value, 1, 1e9); break;
    case 'S': options.stall = number(value, 1, 1e6); break;
    case 'H': fputs(USAGE, stdout); exit(0);
    default: usage("unknown option");
    }
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"host", 1, NULL, 'h'}, {"port", 1, NULL, 'p'}, {"path", 1, NULL, 'u'},
        {"connections", 1, NULL, 'c'}, {"in-flight", 1, NULL, 'k'},
        {"size", 1, NULL, 's'}, {"text", 0, NULL, 't'}, {"raw", 0, NULL, 'r'},
        {"seconds", 1, NULL, 'd'}, {"warm-up", 1, NULL, 'w'},
        {"messages", 1, NULL, 'n'}, {"server-pid", 1, NULL, 'P'},
        {"stall", 1, NULL, 'S'}, {"help", 0, NULL, 'H'}, {NULL, 0, NULL, 0},
    };
    int name;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1)
        set_option(name, optarg);
    if (options.port == NULL || optind != argc)
        usage("--port is needed, and nothing but options");
}

int main(int argc, char **argv)
{
    unsigned char header[CLIENT_HEADER];
    struct mark begin = {0}, end = {0};
    read_options(argc, argv);
    unit = options.size;
    if (options.raw) /* as many bytes as the masked frame would have */
        unit += write_header(header, BINARY, options.size) + 4;
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0)
        die("epoll_create1");
    fill_pattern();
    if (open_connections())
        run(&begin, &end);
    report(&begin, &end);
    return errors > 0;
}

/* The other way round: a server for Python clients that are to be measured.
 *
 * What it does follows from the path:
 *   /echo   sends back what it gets
 *   /flood  gets CYCLE messages and sends these, over and over, until the client closes
 *   /sink   gets CYCLE messages, and then these, over and over, which it checks byte by
 *           byte; to a text it answers with a text: how many messages it has
 * With --raw, it sends back all bytes, and knows nothing of WebSocket.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK_SIZE = 64 * 1024 }; /* of a flood that is written at once, at least */

struct guest {
    struct link link; /* first: epoll knows it */
    struct reader reader;
    unsigned index;
    enum task task;
    bool shaken, close_waits, flood_over, closed;
    char *head; /* the request, while it comes */
    size_t head_have;

    unsigned char *cycle[CYCLE]; /* the first messages */
    size_t sizes[CYCLE];
    uint64_t count;  /* messages that came */
    size_t have;     /* bytes of this message so far */
    char text[8];    /* the last text */

    unsigned char *block; /* the frames of a flood */
    size_t block_size, block_at;
};

static volatile sig_atomic_t terminated;
static const struct reader_rules rules;

static void on_signal(int number) { terminated = number; }

static bool wrong(const struct guest *g, const char *what)
{
    return fail(g->index, g->count, "%s", what);
}

static bool refuse(void *owner, const char *what) { return wrong(owner, what); }

/* ---- messages ---- */

static bool begin(void *owner)
{
    struct guest *g = owner;
    size_t size = (size_t)g->reader.left;
    if (g->reader.compressed || g->reader.opcode == CONTINUATION || !g->reader.fin)
        return wrong(g, "compressed or fragmented, for which there is no reason");
    if (g->task == ECHO) {
        unsigned char *to = reserve(&g->link, LONGEST_HEADER + size);
        g->link.out_end += write_header(to, FIN | g->reader.opcode, 0, size);
        return true;
    }
    if (g->reader.kind == TEXT)
        return size < sizeof g->text || wrong(g, "a text that is too long");
    if (g->task == FLOOD && g->count >= CYCLE)
        return wrong(g, "more messages than a flood needs");
    unsigned place = g->count % CYCLE;
    if (g->count < CYCLE) {
        g->cycle[place] = checked(malloc(size + 1));
        g->sizes[place] = size;
    }
    return size == g->sizes[place] || wrong(g, "not as long as the one before it");
}

static bool take(void *owner, unsigned char *data, size_t size)
{
    struct guest *g = owner;
    unsigned place = g->count % CYCLE;
    if (g->task == ECHO) {
        memcpy(reserve(&g->link, size), data, size);
        g->link.out_end += size;
    } else if (g->reader.kind == TEXT) {
        memcpy(g->text + g->have, data, size);
    } else if (g->count < CYCLE) {
        memcpy(g->cycle[place] + g->have, data, size);
    } else if (memcmp(g->cycle[place] + g->have, data, size) != 0) {
        return wrong(g, "not what the client sent before");
    }
    g->have += size;
    return true;
}

/* Put the cycle, often, into one block: a flood costs us next to nothing. */
static void make_block(struct guest *g)
{
    struct link frames = {0};
    do {
        for (int i = 0; i < CYCLE; i++)
            queue_frame(&frames, FIN | BINARY, false, g->cycle[i], g->sizes[i]);
    } while (frames.out_end < BLOCK_SIZE);
    g->block = frames.out;
    g->block_size = frames.out_end;
}

static bool finish(void *owner, uint64_t now)
{
    struct guest *g = owner;
    (void)now;
    g->have = 0;
    if (g->task == SINK && g->reader.kind == TEXT) {
        char answer[32];
        int size = snprintf(answer, sizeof answer, "%" PRIu64, g->count);
        queue_frame(&g->link, FIN | TEXT, false, (unsigned char *)answer, (size_t)size);
        return true;
    }
    if (++g->count == CYCLE && g->task == FLOOD)
        make_block(g);
    return true;
}

static bool control(void *owner)
{
    struct guest *g = owner;
    if (g->reader.opcode == PING)
        queue_frame(&g->link, FIN | PONG, false, g->reader.control,
                    g->reader.control_have);
    if (g->reader.opcode == CLOSE)
        g->close_waits = true;
    return g->reader.opcode != CLOSE;
}

static const struct reader_rules rules = {
    .masked = true,
    .refuse = refuse,
    .begin = begin,
    .take = take,
    .finish = finish,
    .control = control,
};

/* ---- writing ---- */

/* Where, at or after this place of the block, a frame begins. */
static size_t next_frame(const struct guest *g, size_t place)
{
    size_t at = 0;
    while (at < place)
        at += frame_size(g->block + at);
    return at;
}

/* Go on flooding; when the client closes, end with a whole frame. */
static bool flood(struct guest *g)
{
    ssize_t written = 1;
    while (written > 0) {
        size_t end = g->close_waits ? next_frame(g, g->block_at) : g->block_size;
        if (g->block_at == end) {
            g->flood_over = true;
            return true;
        }
        written = push(&g->link, g->block + g->block_at, end - g->block_at);
        if (writes_failed(written))
            return wrong(g, "cannot write");
        if (written > 0)
            g->block_at = (g->block_at + (size_t)written) % g->block_size;
    }
    if (!g->link.wants_write)
        watch(&g->link, EPOLL_CTL_MOD, true);
    return true;
}

/* Answer a closing frame, and leave. */
static void leave(struct guest *g)
{
    static const unsigned char normal[2] = {1000 >> 8, 1000 & 0xff};
    queue_frame(&g->link, FIN | CLOSE, false, normal, sizeof normal);
    flush(&g->link);
    close_link(&g->link);
    g->closed = true;
}

static bool write_on(struct guest *g)
{
    if (!flush(&g->link))
        return wrong(g, "cannot write");
    if (g->link.out_start < g->link.out_end)
        return true;
    if (g->block != NULL && !flood(g))
        return false;
    if (g->close_waits && (g->block == NULL || g->flood_over))
        leave(g);
    return true;
}

/* ---- reading ---- */

static bool take_head(struct guest *g, const unsigned char *data, size_t size)
{
    char path[32], response[256];
    if (g->head_have + size > HEAD_SIZE)
        return wrong(g, "the request is too long");
    if (g->head == NULL)
        g->head = checked(malloc(HEAD_SIZE + 1));
    memcpy(g->head + g->head_have, data, size);
    g->head_have += size;
    g->head[g->head_have] = '\0';
    char *end = strstr(g->head, "\r\n\r\n");
    if (end == NULL)
        return true;
    if (end + 4 != g->head + g->head_have)
        return wrong(g, "frames before the handshake is over");
    end[2] = '\0';
    const char *what = answer_request(g->head, response, sizeof response, path);
    if (what != NULL)
        return wrong(g, what);
    g->shaken = true;
    g->task = strcmp(path, "/sink") == 0    ? SINK
              : strcmp(path, "/flood") == 0 ? FLOOD
                                            : ECHO;
    free(g->head);
    return send_all(&g->link, response, strlen(response))
           || wrong(g, "cannot send the response");
}

static bool take_bytes(struct guest *g, unsigned char *data, size_t size)
{
    if (options.raw) {
        memcpy(reserve(&g->link, size), data, size);
        g->link.out_end += size;
        return true;
    }
    if (!g->shaken)
        return take_head(g, data, size);
    return consume(&g->reader, g, data, size, 0) || g->close_waits;
}

static bool on_readable(struct guest *g, unsigned char *scratch)
{
    ssize_t size = pull(&g->link, scratch, READ_SIZE);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (size <= 0) { /* clients may go as they like */
        close_link(&g->link);
        g->closed = true;
        return true;
    }
    return take_bytes(g, scratch, (size_t)size) && write_on(g);
}

static void forget(struct guest *g)
{
    for (int i = 0; i < CYCLE; i++)
        free(g->cycle[i]);
    if (!g->closed)
        close_link(&g->link);
    free(g->link.out);
    free(g->block);
    free(g);
}

static void handle(struct guest *g, uint32_t events, unsigned char *scratch)
{
    bool fine = events & ~(uint32_t)EPOLLOUT ? on_readable(g, scratch) : write_on(g);
    if (!fine || g->closed)
        forget(g);
}

/* ---- the server ---- */

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0
        || listen(fd, 4096) != 0
        || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        die("listen");
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void accept_all(int listener)
{
    static unsigned count;
    const int on = 1;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct guest *g = checked(calloc(1, sizeof *g));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        g->link.fd = fd;
        g->index = count++;
        g->reader.rules = &rules;
        watch(&g->link, EPOLL_CTL_ADD, false);
    }
}

/* Serve until SIGTERM; return the exit status. */
int serve(void)
{
    static unsigned char scratch[READ_SIZE];
    static struct epoll_event events[MAX_EVENTS];
    struct link listener = {0};
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    listener.fd = listen_somewhere();
    watch(&listener, EPOLL_CTL_ADD, false);
    while (!terminated) {
        int count = epoll_wait(poller, events, MAX_EVENTS, 100);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &listener)
                accept_all(listener.fd);
            else
                handle(events[i].data.ptr, events[i].events, scratch);
        }
    }
    return errors > 0;
}

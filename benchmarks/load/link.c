/* A socket, or TLS on it, and what waits to be written to it. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

int poller;

void make_poller(void)
{
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0)
        die("epoll_create1");
}

/* ---- TLS, where OpenSSL's headers were there ---- */

#ifdef WITH_TLS

static SSL_CTX *context;

bool supports_tls(void) { return true; }

static void make_context(void)
{
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL
        || SSL_CTX_load_verify_locations(context, options.authority, NULL) != 1) {
        fprintf(stderr, "loadgen: cannot read %s\n", options.authority);
        exit(1);
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE
                                  | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                  | SSL_MODE_RELEASE_BUFFERS);
}

/* On a socket that still blocks; the certificate is verified. */
bool start_tls(struct link *link)
{
    if (context == NULL)
        make_context();
    link->tls = checked(SSL_new(context));
    SSL_set1_host(link->tls, "localhost");
    SSL_set_tlsext_host_name(link->tls, "localhost");
    return SSL_set_fd(link->tls, link->fd) == 1 && SSL_connect(link->tls) == 1;
}

/* Say in errno what OpenSSL says in its own way. */
static ssize_t explain(struct link *link, int result)
{
    if (result > 0)
        return result;
    int error = SSL_get_error(link->tls, result);
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    if (waits)
        errno = EAGAIN;
    else if (error != SSL_ERROR_SYSCALL || errno == 0)
        errno = EPROTO;
    return -1;
}

static int at_most(size_t size) { return size > 1 << 30 ? 1 << 30 : (int)size; }

static ssize_t push_tls(struct link *link, const void *data, size_t size)
{
    ERR_clear_error();
    return explain(link, SSL_write(link->tls, data, at_most(size)));
}

static ssize_t pull_tls(struct link *link, void *data, size_t size)
{
    ERR_clear_error();
    return explain(link, SSL_read(link->tls, data, at_most(size)));
}

bool has_more(const struct link *link)
{
    return link->tls != NULL && SSL_pending(link->tls) > 0;
}

static void free_tls(struct link *link)
{
    SSL_free(link->tls);
    link->tls = NULL;
}

#else

bool supports_tls(void) { return false; }
bool start_tls(struct link *link) { return link == NULL; }
bool has_more(const struct link *link) { return link == NULL; }
static ssize_t push_tls(struct link *link, const void *data, size_t size)
{
    return link == NULL || data == NULL || size == 0 ? 0 : -1;
}
static ssize_t pull_tls(struct link *link, void *data, size_t size)
{
    return push_tls(link, data, size);
}
static void free_tls(struct link *link) { link->tls = NULL; }

#endif

/* ---- reading and writing ---- */

ssize_t push(struct link *link, const void *data, size_t size)
{
    if (link->tls != NULL)
        return push_tls(link, data, size);
    return send(link->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t pull(struct link *link, void *data, size_t size)
{
    if (link->tls != NULL)
        return pull_tls(link, data, size);
    return recv(link->fd, data, size, MSG_DONTWAIT);
}

/* Write something short, where nothing else can be under way. */
bool send_all(struct link *link, const void *data, size_t size)
{
    memcpy(reserve(link, size), data, size);
    link->out_end += size;
    return flush(link) && link->out_start == link->out_end;
}

unsigned char *reserve(struct link *link, size_t wanted)
{
    if (link->out_start == link->out_end)
        link->out_start = link->out_end = 0;
    if (link->out_size - link->out_end < wanted && link->out_start > 0) {
        memmove(link->out, link->out + link->out_start,
                link->out_end - link->out_start);
        link->out_end -= link->out_start;
        link->out_start = 0;
    }
    if (link->out_size - link->out_end < wanted) {
        link->out_size = 2 * link->out_size + wanted;
        link->out = checked(realloc(link->out, link->out_size));
    }
    return link->out + link->out_end;
}

void watch(struct link *link, int operation, bool wants_write)
{
    struct epoll_event event = {
        .events = EPOLLIN | (wants_write ? (uint32_t)EPOLLOUT : 0u),
        .data.ptr = link,
    };
    if (epoll_ctl(poller, operation, link->fd, &event) != 0)
        die("epoll_ctl");
    link->watched = true;
    link->wants_write = wants_write;
}

/* Whether writing went wrong, rather than having to wait. */
bool writes_failed(ssize_t written)
{
    return written <= 0 && errno != EAGAIN && errno != EINTR;
}

/* Write what waits; have epoll tell when the rest can go. */
bool flush(struct link *link)
{
    while (link->out_start < link->out_end) {
        ssize_t written = push(link, link->out + link->out_start,
                               link->out_end - link->out_start);
        if (writes_failed(written))
            return false;
        if (written <= 0 && errno == EINTR)
            continue;
        if (written <= 0)
            break;
        link->out_start += (size_t)written;
    }
    bool waits = link->out_start < link->out_end;
    if (link->watched && waits != link->wants_write)
        watch(link, EPOLL_CTL_MOD, waits);
    return true;
}

void close_link(struct link *link)
{
    if (link->tls != NULL)
        free_tls(link);
    if (close(link->fd) != 0) /* epoll forgets it, too */
        die("close");
    link->fd = -1;
    link->watched = link->wants_write = false;
    link->out_start = link->out_end = 0;
}

void queue_frame(struct link *link, int first, bool masked,
                 const unsigned char *payload, size_t size)
{
    unsigned char *to = reserve(link, LONGEST_HEADER + size);
    size_t header = write_header(to, first, masked ? MASK : 0, size);
    if (masked) {
        uint32_t key = (uint32_t)random_bits();
        memcpy(to + header, &key, 4);
        mask_into(to + header + 4, payload, size, to + header);
        header += 4;
    } else {
        memcpy(to + header, payload, size);
    }
    link->out_end += header + size;
}

/* What the parts of the load generator share. Each part's section names its file. */
#ifndef LOAD_H
#define LOAD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire.h"

enum {
    READ_SIZE = 256 * 1024, /* bytes asked for by one read */
    HEAD_SIZE = 16 * 1024,  /* the longest request or response we accept, bytes */
    MAX_EVENTS = 512,
    CYCLE = 8,         /* different messages that a flood repeats */
    BATCHES = 4,       /* unacknowledged batches per connection, sending to a sink */
    MOST_OF_BATCH = 256, /* messages after which a sink is asked what it has */
    LINES = 1024,      /* most lines of a file of messages */
};

enum task { ECHO, SINK, FLOOD, BROADCAST, CONNECT, HOLD };
enum phase { WARM_UP, MEASURE, DRAIN, CLOSING, DONE };

/* ---- main.c ---- */

struct options {
    const char *host, *port, *path, *lines, *authority;
    enum task task;
    unsigned connections, in_flight;
    size_t size;
    bool text, raw, deflate, tls, serve;
    double seconds, warm_up, stall;
    uint64_t messages; /* 0: run for `seconds` */
    pid_t server_pid;  /* 0: do not measure the server's processor time */
};

extern struct options options;

/* ---- basics.c: errors, time, chance, latencies ---- */

extern unsigned errors;

_Noreturn void die(const char *what);
void *checked(void *memory);
__attribute__((format(printf, 3, 4)))
bool fail(unsigned index, uint64_t number, const char *format, ...);
uint64_t read_clock(int clock);
uint64_t now_ns(void);
uint64_t random_bits(void);
void note_latency(uint64_t nanoseconds);
double percentile_us(double share);
void raise_file_limit(void);

/* ---- link.c: a socket, or TLS on it, and what waits to be written to it ---- */

struct link {
    int fd;
    bool watched, wants_write;
    struct ssl_st *tls;
    unsigned char *out; /* from out_start to out_end */
    size_t out_start, out_end, out_size;
};

extern int poller; /* epoll's */

void make_poller(void);
unsigned char *reserve(struct link *link, size_t wanted);
void watch(struct link *link, int operation, bool wants_write);
bool flush(struct link *link);                                  /* false: see errno */
bool writes_failed(ssize_t written);
ssize_t push(struct link *link, const void *data, size_t size); /* -1: see errno */
ssize_t pull(struct link *link, void *data, size_t size);       /* -1: see errno */
bool has_more(const struct link *link);
bool send_all(struct link *link, const void *data, size_t size);
bool start_tls(struct link *link);
void close_link(struct link *link);
bool supports_tls(void);
void queue_frame(struct link *link, int first, bool masked,
                 const unsigned char *payload, size_t size);

/* ---- reader.c: bytes into frames, wherever reads begin and end in them ---- */

struct reader {
    const struct reader_rules *rules;
    unsigned char header[LONGEST_HEADER];
    size_t header_have, header_need;
    bool in_payload, fin, in_message, compressed;
    enum opcode opcode; /* of this frame */
    enum opcode kind;   /* of this message */
    uint64_t left;      /* bytes of this frame's payload still to come */
    unsigned char control[CONTROL_SIZE];
    size_t control_have, key_at;
    unsigned char key[4];
};

/* What is done with frames. The functions return whether to go on. */
struct reader_rules {
    bool masked;
    bool (*refuse)(void *owner, const char *what);
    bool (*begin)(void *owner);
    bool (*take)(void *owner, unsigned char *data, size_t size);
    bool (*finish)(void *owner, uint64_t now);
    bool (*control)(void *owner);
};

bool consume(struct reader *reader, void *owner, unsigned char *data, size_t size,
             uint64_t now);

/* ---- handshake.c: both ends of it ---- */

bool make_request(char *to, size_t room);
const char *check_response(const char *response); /* NULL, or what is wrong with it */
const char *answer_request(const char *request, char *to, size_t room, char path[32]);

/* ---- payloads.c: the messages ---- */

struct payload {
    const unsigned char *data;
    size_t size;
    unsigned char *wire; /* deflated; NULL without compression */
    size_t wire_size, slot;
};

void prepare_payloads(void);
const struct payload *payload_of(unsigned sequence, uint64_t number);
struct payload *every_payload(size_t *count);

/* ---- squeeze.c: permessage-deflate, RFC 7692 ---- */

struct past { /* which of a connection's last messages came compressed */
    uint64_t flags[LINES / 64];
    uint64_t run;
    size_t run_bytes;
};

bool supports_deflate(void);
const char *agree(const char *value, size_t size); /* NULL, or what is wrong with it */
const char *check_squeezed(struct past *past, unsigned sequence, uint64_t number,
                           const unsigned char *data, size_t size);
void note_plain(struct past *past, uint64_t number);

/* ---- client.c: the connections that put load on a server ---- */

extern enum phase phase;
extern uint64_t received_total, sent_total, wire_total;
extern unsigned closed_total;

void begin_clients(void);
bool open_clients(unsigned count);
bool start_load(unsigned first);
bool on_event(void *client, uint32_t events, unsigned char *scratch);
bool drained(void);
bool start_closing(void);

/* ---- serve.c: the other way round, a server for clients to be measured ---- */

int serve(void);

#endif

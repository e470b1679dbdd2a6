/* A WebSocket load generator that checks every byte it gets back.
 *
 * It opens connections to a server, gives it a task, and prints one line of JSON.
 * The run goes through phases: warm up, measure, drain (nothing new is sent; what is
 * under way is still checked), close (the closing handshake), done. With --serve, it
 * is the server, for clients to be measured.
 *
 * Exit status: 0 all well, 1 the peer was wrong, 2 the command line was.
 */
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { SOME = 25 }; /* connections opened at a time, to be held */

struct options options = {
    .host = "127.0.0.1", .path = "/", .connections = 1, .in_flight = 1,
    .size = 256, .seconds = 1.0, .warm_up = 0.1, .stall = 30.0,
};

static const char *const tasks[] = {"echo", "sink", "flood", "broadcast", "connect",
                                    "hold", NULL};

/* What is noted when measuring starts, and again when it ends. */
struct mark {
    uint64_t at, received, wire;
    double server_cpu, own_cpu;
};

/* ---- the run ---- */

static struct mark take_mark(void)
{
    clockid_t clock;
    struct mark mark = {.received = received_total, .wire = wire_total};
    mark.own_cpu = (double)read_clock(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
    if (options.server_pid != 0) {
        if (clock_getcpuclockid(options.server_pid, &clock) != 0)
            die("the server's processor time");
        mark.server_cpu = (double)read_clock(clock) / 1e9;
    }
    mark.at = now_ns();
    return mark;
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
    if (phase == DRAIN && drained())
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
            " messages are back", options.stall, received_total, sent_total);
    if (options.server_pid != 0) /* does it wait, or does it run in circles? */
        fprintf(stderr, "; the server ran for %.1f s in all", take_mark().server_cpu);
    fputc('\n', stderr);
    errors++;
    return true;
}

/* Handle what happens, waiting at most so long; -1 if something was wrong. */
static int turn(int milliseconds)
{
    static unsigned char scratch[READ_SIZE];
    static struct epoll_event events[MAX_EVENTS];
    int count = epoll_wait(poller, events, MAX_EVENTS, milliseconds);
    if (count < 0 && errno != EINTR)
        die("epoll_wait");
    for (int i = 0; i < count; i++) {
        if (!on_event(events[i].data.ptr, events[i].events, scratch))
            return -1;
    }
    return count < 0 ? 0 : count;
}

static void run(struct mark *begin, struct mark *end)
{
    bool fine = open_clients(options.connections);
    if (options.messages > 0)
        phase = MEASURE;
    *begin = take_mark();
    fine = fine && start_load(0);
    uint64_t now = now_ns(), active_at = now;
    while (fine && phase != DONE) {
        int count = turn(20);
        now = now_ns();
        active_at = count > 0 ? now : active_at;
        fine = count >= 0 && advance(now, begin, end) && !stalled(now, active_at);
    }
    if (end->at == 0)
        *end = take_mark();
}

/* ---- holding connections, as many as standard input says ---- */

static bool wait_for_echoes(void)
{
    uint64_t active_at = now_ns();
    while (received_total < sent_total) {
        int count = turn(20);
        if (count < 0 || stalled(now_ns(), active_at))
            return false;
        active_at = count > 0 ? now_ns() : active_at;
    }
    return true;
}

/* The next number on standard input; 0 at its end. Pings are answered meanwhile. */
static unsigned await_number(void)
{
    char line[32];
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    while (poll(&input, 1, 0) == 0) {
        if (turn(20) < 0)
            exit(1);
    }
    ssize_t size = read(STDIN_FILENO, line, sizeof line - 1);
    line[size > 0 ? size : 0] = '\0';
    return (unsigned)strtoul(line, NULL, 10);
}

/* Open some at a time, so that the pings of the others are answered. */
static bool open_some(unsigned have, unsigned wanted)
{
    bool fine = true;
    while (fine && have < wanted) {
        unsigned next = have + SOME < wanted ? have + SOME : wanted;
        fine = open_clients(next) && start_load(have) && wait_for_echoes()
               && turn(0) >= 0;
        have = next;
    }
    return fine;
}

static void hold(void)
{
    unsigned have = 0;
    bool fine = true;
    phase = MEASURE;
    while (fine) {
        unsigned wanted = await_number();
        if (wanted == 0)
            break;
        wanted = wanted > options.connections ? options.connections : wanted;
        fine = open_some(have, wanted);
        have = wanted;
        if (fine)
            printf("{\"connections\": %u, \"messages\": %" PRIu64 "}\n", have,
                   received_total);
        fflush(stdout);
    }
    fine = fine && have > 0 && start_closing();
    while (fine && closed_total < options.connections)
        fine = turn(20) >= 0;
}

static void report(const struct mark *begin, const struct mark *end)
{
    double seconds = (double)(end->at - begin->at) / 1e9;
    uint64_t messages = end->received - begin->received;
    printf("{\"messages\": %" PRIu64 ", \"seconds\": %.6f, \"rate\": %.1f, "
           "\"wire_bytes\": %" PRIu64 ", \"errors\": %u, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, ",
           messages, seconds, seconds > 0 ? (double)messages / seconds : 0.0,
           end->wire - begin->wire, errors, percentile_us(0.50), percentile_us(0.99));
    if (options.server_pid != 0)
        printf("\"server_cpu\": %.6f, ", end->server_cpu - begin->server_cpu);
    printf("\"loadgen_cpu\": %.6f, \"connections\": %u, \"in_flight\": %u, "
           "\"size\": %zu, \"task\": \"%s\"}\n",
           end->own_cpu - begin->own_cpu, options.connections, options.in_flight,
           options.size, tasks[options.task]);
}

/* ---- the command line ---- */

static const char USAGE[] =
    "usage: loadgen --port PORT [options], or loadgen --serve [--raw]\n"
    "  --host HOST         where the server listens (127.0.0.1)\n"
    "  --path PATH         what the opening handshake asks for (/)\n"
    "  --task TASK         echo, sink, flood, broadcast, connect or hold (echo);\n"
    "                      client.c tells what the server has to do\n"
    "  --connections N     connections, opened one after the other (1)\n"
    "  --in-flight K       messages on the way, on each connection (1)\n"
    "  --size BYTES        payload of a message (256)\n"
    "  --lines FILE        instead: each message is a line of this file\n"
    "  --text              text messages (ASCII) instead of binary ones\n"
    "  --deflate           messages are compressed; needs --lines\n"
    "  --tls CA            TLS; the server must have a certificate of this authority\n"
    "  --raw               no WebSocket: bytes for a byte echo, as many as the\n"
    "                      frames would have\n"
    "  --seconds S         measure for this long (1.0)\n"
    "  --warm-up S         before that, run unmeasured for this long (0.1)\n"
    "  --messages N        instead: measure exactly N messages, no warm-up; with\n"
    "                      --task hold, N on each connection when it is opened\n"
    "  --server-pid PID    also measure this process's processor time\n"
    "  --stall S           give up when nothing comes for this long (30)\n"
    "  --features          say whether deflate and tls were built in\n";

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

static enum task find_task(const char *name)
{
    for (int i = 0; tasks[i] != NULL; i++) {
        if (strcmp(name, tasks[i]) == 0)
            return (enum task)i;
    }
    usage("no such task");
    return ECHO;
}

static void show_features(void)
{
    printf("%s %s\n", supports_deflate() ? "deflate" : "-",
           supports_tls() ? "tls" : "-");
    exit(0);
}

static void set_option(int name, const char *value)
{
    switch (name) {
    case 'h': options.host = value; break;
    case 'p': options.port = value; break;
    case 'u': options.path = value; break;
    case 'T': options.task = find_task(value); break;
    case 'c': options.connections = (unsigned)number(value, 1, 1e6); break;
    case 'k': options.in_flight = (unsigned)number(value, 1, 1e6); break;
    case 's': options.size = (size_t)number(value, 0, 1e9); break;
    case 'l': options.lines = value; break;
    case 't': options.text = true; break;
    case 'z': options.deflate = true; break;
    case 'a': options.tls = true; options.authority = value; break;
    case 'r': options.raw = true; break;
    case 'd': options.seconds = number(value, 0.001, 1e6); break;
    case 'w': options.warm_up = number(value, 0, 1e6); break;
    case 'n': options.messages = (uint64_t)number(value, 1, 1e15); break;
    case 'P': options.server_pid = (pid_t)number(value, 1, 1e9); break;
    case 'S': options.stall = number(value, 1, 1e6); break;
    case 'L': options.serve = true; break;
    case 'F': show_features(); break;
    case 'H': fputs(USAGE, stdout); exit(0);
    default: usage("unknown option");
    }
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"host", 1, NULL, 'h'}, {"port", 1, NULL, 'p'}, {"path", 1, NULL, 'u'},
        {"task", 1, NULL, 'T'}, {"connections", 1, NULL, 'c'},
        {"in-flight", 1, NULL, 'k'}, {"size", 1, NULL, 's'},
        {"lines", 1, NULL, 'l'}, {"text", 0, NULL, 't'}, {"deflate", 0, NULL, 'z'},
        {"tls", 1, NULL, 'a'}, {"raw", 0, NULL, 'r'}, {"seconds", 1, NULL, 'd'},
        {"warm-up", 1, NULL, 'w'}, {"messages", 1, NULL, 'n'},
        {"server-pid", 1, NULL, 'P'}, {"stall", 1, NULL, 'S'},
        {"serve", 0, NULL, 'L'}, {"features", 0, NULL, 'F'}, {"help", 0, NULL, 'H'},
        {NULL, 0, NULL, 0},
    };
    int name;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1)
        set_option(name, optarg);
    if (optind != argc || (options.port == NULL) == !options.serve)
        usage("--port is needed, or --serve, and nothing but options");
    if (options.raw && (options.task != ECHO || options.deflate))
        usage("--raw can only echo");
    if (options.deflate && (options.lines == NULL || !supports_deflate()))
        usage("--deflate needs --lines, and zlib when it was built");
    if (options.tls && !supports_tls())
        usage("--tls needs OpenSSL when it was built");
    if (options.lines != NULL && (options.task == SINK || options.raw))
        usage("--lines goes with messages that are checked one by one");
}

int main(int argc, char **argv)
{
    struct mark begin = {0}, end = {0};
    read_options(argc, argv);
    raise_file_limit();
    make_poller();
    if (options.serve)
        return serve();
    prepare_payloads();
    begin_clients();
    if (options.task == HOLD) {
        hold();
    } else {
        run(&begin, &end);
        report(&begin, &end);
    }
    return errors > 0;
}

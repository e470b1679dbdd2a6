/* permessage-deflate, RFC 7692: messages deflated beforehand, and a check of what
 * comes back that costs little.
 *
 * Every message that arrives is inflated and compared, or is, byte for byte, one that
 * was inflated before, with the same messages before it. What an inflater may look
 * back at is known: the messages that should have come. So no connection needs an
 * inflater of its own, and a server that deflates like a clock is checked by memcmp.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef WITH_DEFLATE
#include <zlib.h>

/* What was inflated before: the last of each line. */
struct verified {
    unsigned char *data;
    size_t size, room;
    bool settled;    /* the history filled the window: it is the same each time */
    uint64_t number; /* if not, it is the same for messages of this number */
};

static int own_bits, their_bits; /* base-2 logarithms of the windows; 0: not agreed */
static bool forgetful;           /* the server begins anew with each message */
static struct verified verified[LINES];
static unsigned char history[1 << 15];
static unsigned char *plain;
static size_t plain_room;

bool supports_deflate(void) { return true; }

/* ---- the handshake ---- */

static void deflate_line(struct payload *line)
{
    z_stream stream = {0};
    uLong room = deflateBound(NULL, line->size) + 16;
    line->wire = checked(malloc(room));
    if (deflateInit2(&stream, 6, Z_DEFLATED, -own_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        die("deflateInit2");
    stream.next_in = (unsigned char *)line->data;
    stream.avail_in = (uInt)line->size;
    stream.next_out = line->wire;
    stream.avail_out = (uInt)room;
    if (deflate(&stream, Z_SYNC_FLUSH) != Z_OK || stream.avail_out == 0)
        die("deflate");
    line->wire_size = room - stream.avail_out - 4; /* RFC 7692, 7.2.1 */
    deflateEnd(&stream);
    if (plain_room < line->size + 1)
        plain = checked(realloc(plain, plain_room = line->size + 1));
}

static void deflate_lines(void)
{
    size_t count;
    struct payload *lines = every_payload(&count);
    for (size_t i = 0; i < count; i++)
        deflate_line(&lines[i]);
}

static int find_bits(const char *value, const char *name)
{
    const char *found = strstr(value, name);
    if (found == NULL)
        return 15;
    found += strlen(name);
    return (int)strtol(found + strspn(found, " =\""), NULL, 10);
}

const char *agree(const char *header, size_t size)
{
    char value[256] = {0};
    if (size >= sizeof value || strncmp(header, "permessage-deflate", 18) != 0)
        return "an extension that was not offered";
    memcpy(value, header, size);
    int own = find_bits(value, "client_max_window_bits");
    int theirs = find_bits(value, "server_max_window_bits");
    if (own < 8 || own > 15 || theirs < 8 || theirs > 15)
        return "window bits out of range";
    if (own_bits != 0)
        return own == own_bits && theirs == their_bits ? NULL
                                                       : "each time another agreement";
    own_bits = own == 8 ? 9 : own;
    their_bits = theirs;
    forgetful = strstr(value, "server_no_context_takeover") != NULL;
    deflate_lines();
    return NULL;
}

/* ---- the history ---- */

static void note(struct past *past, uint64_t number, bool squeezed, size_t size)
{
    uint64_t bit = 1ull << number % 64, *word = &past->flags[number % LINES / 64];
    *word = squeezed ? *word | bit : *word & ~bit;
    past->run = squeezed ? past->run + 1 : 0;
    past->run_bytes = squeezed ? past->run_bytes + size : 0;
}

void note_plain(struct past *past, uint64_t number) { note(past, number, false, 0); }

/* Put the end of what came compressed before this message at the end of `history`;
 * return how many bytes. */
static size_t recall(const struct past *past, unsigned sequence, uint64_t number)
{
    size_t have = 0, window = forgetful ? 0 : (size_t)1 << their_bits;
    uint64_t oldest = number > LINES ? number - LINES : 0;
    while (number-- > oldest && have < window) {
        if (!(past->flags[number % LINES / 64] >> number % 64 & 1))
            continue;
        const struct payload *line = payload_of(sequence, number);
        size_t part = line->size < window - have ? line->size : window - have;
        have += part;
        memcpy(history + sizeof history - have, line->data + line->size - part, part);
    }
    return have;
}

/* ---- the check ---- */

static const char *inflate_to_compare(const struct payload *line, size_t remembered,
                                      const unsigned char *data, size_t size)
{
    static const unsigned char tail[4] = {0, 0, 0xff, 0xff}; /* RFC 7692, 7.2.2 */
    static z_stream stream;
    if (stream.state == NULL && inflateInit2(&stream, -their_bits) != Z_OK)
        die("inflateInit2");
    inflateReset(&stream);
    inflateSetDictionary(&stream, history + sizeof history - remembered,
                         (uInt)remembered);
    stream.next_out = plain;
    stream.avail_out = (uInt)line->size + 1;
    stream.next_in = (unsigned char *)data;
    stream.avail_in = (uInt)size;
    int status = inflate(&stream, Z_SYNC_FLUSH);
    stream.next_in = (unsigned char *)tail;
    stream.avail_in = sizeof tail;
    if (status == Z_OK || status == Z_BUF_ERROR)
        status = inflate(&stream, Z_SYNC_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        return stream.msg != NULL ? stream.msg : "it does not inflate";
    if (line->size + 1 - stream.avail_out != line->size)
        return "longer or shorter than what was sent";
    return memcmp(plain, line->data, line->size) == 0 ? NULL : "not what was sent";
}

static bool known(const struct verified *v, const unsigned char *data, size_t size,
                  bool settled, uint64_t number)
{
    return v->data != NULL && v->size == size && v->settled == settled
           && (settled || v->number == number) && memcmp(v->data, data, size) == 0;
}

static void learn(struct verified *v, const unsigned char *data, size_t size)
{
    if (v->room < size)
        v->data = checked(realloc(v->data, v->room = size));
    memcpy(v->data, data, size);
    v->size = size;
}

const char *check_squeezed(struct past *past, unsigned sequence, uint64_t number,
                           const unsigned char *data, size_t size)
{
    const struct payload *line = payload_of(sequence, number);
    struct verified *v = &verified[line->slot];
    bool settled = forgetful || past->run_bytes >= (size_t)1 << their_bits;
    bool sure = settled || past->run == number; /* the history is the same for all */
    const char *wrong = NULL;
    if (!sure || !known(v, data, size, settled, number)) {
        wrong = inflate_to_compare(line, recall(past, sequence, number), data, size);
        if (wrong == NULL && sure) {
            learn(v, data, size);
            v->settled = settled;
            v->number = number;
        }
    }
    note(past, number, true, line->size);
    return wrong;
}

#else

bool supports_deflate(void) { return false; }
const char *agree(const char *header, size_t size)
{
    return size > 0 && header != NULL ? "built without zlib" : NULL;
}
void note_plain(struct past *past, uint64_t number) { past->run = number; }
const char *check_squeezed(struct past *past, unsigned sequence, uint64_t number,
                           const unsigned char *data, size_t size)
{
    note_plain(past, number + sequence);
    return agree((const char *)data, size);
}

#endif

/* The WebSocket wire format, as far as we need it: pure functions on bytes. */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum {
    LONGEST_HEADER = 14, /* that of a long masked frame, bytes */
    FIN = 0x80, RSV1 = 0x40, MASK = 0x80,
    CONTROL_SIZE = 125, /* the longest payload of a control frame; RFC 6455, 5.5 */
};

enum opcode { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

/* The key and the answer to it that RFC 6455, 1.3 gives as its example. */
static const char SAMPLE_KEY[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char SAMPLE_ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/* ---- frames ---- */

/* RFC 6455, 5.3: byte i is combined with byte i mod 4 of the key. */
static inline void mask_into(unsigned char *to, const unsigned char *from, size_t size,
                             const unsigned char key[4])
{
    uint32_t narrow;
    memcpy(&narrow, key, 4);
    uint64_t wide = narrow | (uint64_t)narrow << 32, word;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, from + i, 8);
        word ^= wide;
        memcpy(to + i, &word, 8);
    }
    for (; i < size; i++)
        to[i] = from[i] ^ key[i & 3];
}

/* RFC 6455, 5.2: the length goes into 7, 16 or 64 bits, the fewest that do.
 * The key, if any, is for the caller to write. */
static inline size_t write_header(unsigned char *to, int first, int mask, size_t size)
{
    to[0] = (unsigned char)first;
    if (size < 126) {
        to[1] = (unsigned char)((size_t)mask | size);
        return 2;
    }
    size_t width = size < 65536 ? 2 : 8;
    to[1] = (unsigned char)(mask | (width == 2 ? 126 : 127));
    for (size_t i = 0; i < width; i++)
        to[2 + i] = (unsigned char)((uint64_t)size >> 8 * (width - 1 - i));
    return 2 + width;
}

static inline uint64_t big_endian(const unsigned char *bytes, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* The first two bytes tell how long the header is; RFC 6455, 5.2. */
static inline size_t header_size(const unsigned char *header)
{
    unsigned length = header[1] & 0x7f;
    return (length < 126 ? 2 : length == 126 ? 4 : 10) + (header[1] & MASK ? 4 : 0);
}

/* A whole frame, with its header. */
static inline size_t frame_size(const unsigned char *header)
{
    unsigned length = header[1] & 0x7f;
    size_t width = length < 126 ? 0 : length == 126 ? 2 : 8;
    return header_size(header) + (width ? big_endian(header + 2, width) : length);
}

/* ---- headers of the opening handshake ---- */

/* The value of a header, without the space around it; NULL if there is none. */
static inline const char *find_header(const char *head, const char *name, size_t *size)
{
    size_t name_size = strlen(name);
    const char *line = head;
    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, name_size) == 0 && line[name_size] == ':')
            break;
    }
    if (line == NULL)
        return NULL;
    line += name_size + 1;
    line += strspn(line, " \t");
    *size = strcspn(line, "\r");
    while (*size > 0 && (line[*size - 1] == ' ' || line[*size - 1] == '\t'))
        --*size;
    return line;
}

typedef int comparison(const char *, const char *, size_t);

static inline bool has_header(const char *head, const char *name, const char *wanted,
                       comparison *compare)
{
    size_t size;
    const char *value = find_header(head, name, &size);
    return value != NULL && size == strlen(wanted) && compare(value, wanted, size) == 0;
}

#endif

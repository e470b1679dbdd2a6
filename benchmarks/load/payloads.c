/* The messages: windows into random bytes, or the lines of a file. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>

enum { WINDOWS = 4096 }; /* how many places a message's bytes may start at */

static unsigned char *pattern; /* WINDOWS + unit bytes */
static size_t unit;            /* bytes of a message, when they are windows */
static struct payload lines[LINES];
static size_t line_count;

static void fill_pattern(void)
{
    unsigned char header[LONGEST_HEADER];
    unit = options.size;
    if (options.raw) /* as many bytes as the masked frame would have */
        unit += write_header(header, BINARY, MASK, options.size) + 4;
    pattern = checked(malloc(WINDOWS + unit));
    for (size_t i = 0; i < WINDOWS + unit; i++) {
        unsigned char value = (unsigned char)(random_bits() >> 32);
        pattern[i] = options.text ? (unsigned char)(' ' + value % 95) : value;
    }
}

static void read_lines(const char *name)
{
    FILE *file = fopen(name, "r");
    if (file == NULL)
        die(name);
    for (; line_count < LINES; line_count++) {
        char *line = NULL;
        size_t room = 0;
        ssize_t size = getline(&line, &room, file);
        if (size <= 0)
            break;
        lines[line_count] = (struct payload){
            .data = (unsigned char *)line,
            .size = (size_t)size - (line[size - 1] == '\n'),
            .slot = line_count,
        };
    }
    fclose(file);
    if (line_count == 0) {
        fprintf(stderr, "loadgen: %s is empty\n", name);
        exit(1);
    }
}

void prepare_payloads(void)
{
    if (options.lines != NULL)
        read_lines(options.lines);
    else
        fill_pattern();
}

/* What follows from the connection and the number: what is late, lost, doubled,
 * swapped or damaged on its way does not match. */
const struct payload *payload_of(unsigned sequence, uint64_t number)
{
    static struct payload window;
    if (line_count > 0)
        return &lines[(sequence * 7u + number) % line_count];
    window.data = pattern + (sequence * 977u + number * 13u) % WINDOWS;
    window.size = unit;
    return &window;
}

struct payload *every_payload(size_t *count)
{
    *count = line_count;
    return lines;
}

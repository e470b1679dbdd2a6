/* Bytes into frames, wherever reads begin and end in them. Nothing is buffered but
 * headers and control frames: payloads are handed on as they come. */
#include "load.h"

/* The header is complete: take it apart and check it. */
static bool begin_frame(struct reader *r, void *owner)
{
    const unsigned char *header = r->header;
    unsigned length = header[1] & 0x7f;
    size_t width = length < 126 ? 0 : length == 126 ? 2 : 8;
    uint64_t least = width == 0 ? 0 : width == 2 ? 126 : 65536;
    r->fin = header[0] & FIN;
    r->opcode = header[0] & 0x0f;
    r->left = width ? big_endian(header + 2, width) : length;
    r->header_have = r->control_have = r->key_at = 0;
    r->in_payload = true;
    if (r->rules->masked)
        memcpy(r->key, header + 2 + width, 4);
    if (r->rules->masked != !!(header[1] & MASK)) /* RFC 6455, 5.1 */
        return r->rules->refuse(owner, "a frame masked, or not, unlike it must be");
    if (r->left < least || r->left >> 63)
        return r->rules->refuse(owner, "a length written in the wrong form");
    if (header[0] & 0x30)
        return r->rules->refuse(owner, "reserved bits that nobody agreed on");
    if (r->opcode >= CLOSE && r->opcode <= PONG) /* RFC 6455, 5.5 */
        return (r->fin && r->left <= CONTROL_SIZE && !(header[0] & RSV1))
               || r->rules->refuse(owner, "a control frame fragmented or too long");
    if (r->opcode > BINARY || r->in_message != (r->opcode == CONTINUATION))
        return r->rules->refuse(owner, "an opcode that has no place here");
    if (r->in_message && header[0] & RSV1) /* RFC 7692, 6.1 */
        return r->rules->refuse(owner, "a compressed continuation");
    if (!r->in_message) {
        r->kind = r->opcode;
        r->compressed = header[0] & RSV1;
    }
    r->in_message = true;
    return r->rules->begin(owner);
}

static bool finish_frame(struct reader *r, void *owner, uint64_t now)
{
    r->in_payload = false;
    if (r->opcode > BINARY)
        return r->rules->control(owner);
    if (!r->fin)
        return true;
    r->in_message = false;
    return r->rules->finish(owner, now);
}

static void unmask(struct reader *r, unsigned char *data, size_t size)
{
    unsigned char key[4];
    for (size_t i = 0; i < 4; i++)
        key[i] = r->key[(r->key_at + i) & 3];
    mask_into(data, data, size, key);
    r->key_at = (r->key_at + size) & 3;
}

static bool take_payload(struct reader *r, void *owner, unsigned char *data,
                         size_t size)
{
    r->left -= size;
    if (r->rules->masked)
        unmask(r, data, size);
    if (r->opcode <= BINARY)
        return r->rules->take(owner, data, size);
    memcpy(r->control + r->control_have, data, size);
    r->control_have += size;
    return true;
}

static size_t take_header(struct reader *r, const unsigned char *data, size_t size)
{
    size_t used = 0;
    while (used < size) {
        r->header[r->header_have++] = data[used++];
        if (r->header_have == 2)
            r->header_need = header_size(r->header);
        if (r->header_have >= 2 && r->header_have == r->header_need)
            break;
    }
    return used;
}

/* Take the bytes of one read apart; false if somebody said not to go on. */
bool consume(struct reader *r, void *owner, unsigned char *data, size_t size,
             uint64_t now)
{
    while (size > 0) {
        size_t part = r->left < size ? (size_t)r->left : size;
        if (!r->in_payload) {
            part = take_header(r, data, size);
            bool whole = r->header_have >= 2 && r->header_have == r->header_need;
            if (whole && !begin_frame(r, owner))
                return false;
        } else if (!take_payload(r, owner, data, part)) {
            return false;
        }
        data += part;
        size -= part;
        if (r->in_payload && r->left == 0 && !finish_frame(r, owner, now))
            return false;
    }
    return true;
}

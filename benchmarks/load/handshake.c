/* The opening handshake, both ends of it: RFC 6455, 4. */
#include "load.h"

#include <stdio.h>

/* ---- the client's ---- */

bool make_request(char *to, size_t room)
{
    /* What browsers offer. */
    const char *offer = options.deflate ? "Sec-WebSocket-Extensions: "
                                          "permessage-deflate; client_max_window_bits\r\n"
                                        : "";
    int size = snprintf(to, room,
                        "GET %s HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                        "Sec-WebSocket-Version: 13\r\n%s\r\n",
                        options.path, options.host, options.port, SAMPLE_KEY, offer);
    return size > 0 && (size_t)size < room;
}

/* RFC 6455, 4.1: what a client must check in the server's response. */
const char *check_response(const char *response)
{
    size_t size = 0;
    if (strncmp(response, "HTTP/1.1 101", 12) != 0)
        return "the server does not switch protocols";
    if (!has_header(response, "Upgrade", "websocket", strncasecmp)
        || !has_header(response, "Connection", "Upgrade", strncasecmp))
        return "no Upgrade or Connection header";
    if (!has_header(response, "Sec-WebSocket-Accept", SAMPLE_ACCEPT, strncmp))
        return "wrong Sec-WebSocket-Accept";
    if (find_header(response, "Sec-WebSocket-Protocol", &size) != NULL)
        return "a subprotocol that was not offered";
    const char *agreed = find_header(response, "Sec-WebSocket-Extensions", &size);
    if (options.deflate)
        return agreed == NULL ? "the server refuses compression" : agree(agreed, size);
    return agreed != NULL ? "an extension that was not offered" : NULL;
}

/* ---- SHA-1, as RFC 3174 defines it; RFC 6455, 4.2.2 asks for it ---- */

static uint32_t rotate(uint32_t value, int bits)
{
    return value << bits | value >> (32 - bits);
}

static void digest_block(uint32_t state[5], const unsigned char *block)
{
    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc,
                                          0xca62c1d6};
    uint32_t words[80], s[5];
    for (int t = 0; t < 16; t++)
        words[t] = (uint32_t)big_endian(block + 4 * t, 4);
    for (int t = 16; t < 80; t++)
        words[t] = rotate(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
    memcpy(s, state, sizeof s);
    for (int t = 0; t < 80; t++) {
        uint32_t mixed = t < 20   ? (s[1] & s[2]) | (~s[1] & s[3])
                         : t < 40 ? s[1] ^ s[2] ^ s[3]
                         : t < 60 ? (s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3])
                                  : s[1] ^ s[2] ^ s[3];
        mixed += rotate(s[0], 5) + s[4] + words[t] + constants[t / 20];
        memmove(s + 1, s, 4 * sizeof *s);
        s[0] = mixed;
        s[2] = rotate(s[2], 30);
    }
    for (int i = 0; i < 5; i++)
        state[i] += s[i];
}

/* Of at most 119 bytes: two blocks with the padding. */
static void digest(const char *text, size_t size, unsigned char to[20])
{
    unsigned char blocks[128] = {0};
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t end = size < 56 ? 64 : 128;
    memcpy(blocks, text, size);
    blocks[size] = 0x80;
    blocks[end - 2] = (unsigned char)(size * 8 >> 8);
    blocks[end - 1] = (unsigned char)(size * 8);
    for (size_t at = 0; at < end; at += 64)
        digest_block(state, blocks + at);
    for (int i = 0; i < 20; i++)
        to[i] = (unsigned char)(state[i / 4] >> 8 * (3 - i % 4));
}

static void encode_base64(const unsigned char *from, size_t size, char *to)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t have = size - i < 3 ? size - i : 3;
        uint32_t bits = (uint32_t)big_endian(from + i, have) << 8 * (3 - have);
        for (size_t j = 0; j < 4; j++)
            *to++ = j <= have ? digits[bits >> 6 * (3 - j) & 63] : '=';
    }
    *to = '\0';
}

/* ---- the server's ---- */

/* Write the response to a request; NULL, or what is wrong with the request. */
const char *answer_request(const char *request, char *to, size_t room, char path[32])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[24 + sizeof guid], accept[32];
    unsigned char hash[20];
    size_t size = 0;
    const char *key = find_header(request, "Sec-WebSocket-Key", &size);
    if (sscanf(request, "GET %31s HTTP/1.1\r\n", path) != 1)
        return "not a GET request";
    if (key == NULL || size != 24)
        return "no key, or not one of 24 characters";
    memcpy(text, key, size);
    memcpy(text + size, guid, sizeof guid);
    digest(text, size + sizeof guid - 1, hash);
    encode_base64(hash, sizeof hash, accept);
    snprintf(to, room,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
             accept);
    return NULL;
}

/* What the static program takes from here and not from musl. The linker finds these first.
 *
 * musl moves memory by the processor's string instructions, which take dozens of cycles to start, and compares it byte by byte; nearly all
 * that the agent moves and compares is shorter than a line of text. Here pieces of 16 bytes are taken, the last one overlapping the one
 * before it. */

#include <stddef.h>
#include <stdint.h>

typedef struct { uint64_t low, high; } piece;

/* A fixed length, which the compiler turns into single instructions. */
#define TAKE(type, from) ({ type taken; __builtin_memcpy(&taken, (from), sizeof taken); taken; })
#define PUT(type, to, value) ({ type put = (value); __builtin_memcpy((to), &put, sizeof put); })
/* The first and the last piece of `length` bytes, taken before either is put: right for blocks that overlap as well. */
#define ENDS(type) ({ \
    type first = TAKE(type, from), last = TAKE(type, from + length - sizeof(type)); \
    PUT(type, to, first); \
    PUT(type, to + length - sizeof(type), last); \
    return start; \
})

void *memmove(void *start, const void *source, size_t length) {
    unsigned char *to = start;
    const unsigned char *from = source;
    if (length < 2) {
        if (length) *to = *from;
        return start;
    }
    if (length <= 4) ENDS(uint16_t);
    if (length <= 8) ENDS(uint32_t);
    if (length <= 16) ENDS(uint64_t);
    if (length <= 32) ENDS(piece);
    piece first = TAKE(piece, from), last = TAKE(piece, from + length - sizeof last);
    if ((size_t)(to - from) >= length) { /* forwards: the target does not begin within the source */
        for (size_t at = sizeof(piece); at < length - sizeof(piece); at += sizeof(piece))
            PUT(piece, to + at, TAKE(piece, from + at));
    } else {
        for (size_t at = length - sizeof(piece); at > sizeof(piece); at -= sizeof(piece))
            PUT(piece, to + at - sizeof(piece), TAKE(piece, from + at - sizeof(piece)));
    }
    PUT(piece, to, first);
    PUT(piece, to + length - sizeof last, last);
    return start;
}

void *memcpy(void *restrict start, const void *restrict source, size_t length) { return memmove(start, source, length); }

int memcmp(const void *one, const void *other, size_t length) {
    const unsigned char *a = one, *b = other;
    size_t at = 0;
    for (; length - at >= 8; at += 8) {
        uint64_t left = TAKE(uint64_t, a + at), right = TAKE(uint64_t, b + at);
        if (left != right) {
            left = __builtin_bswap64(left);
            right = __builtin_bswap64(right);
            return left < right ? -1 : 1;
        }
    }
    for (; at < length; at++)
        if (a[at] != b[at]) return a[at] - b[at];
    return 0;
}

int bcmp(const void *one, const void *other, size_t length) { return memcmp(one, other, length); }

/* The standard library asks an unwinder for the stack when a panic is printed with RUST_BACKTRACE. The program is built without unwinding and
 * gcc's unwinder needs glibc: here no stack is known, so that a panic is printed with its message and place alone. */
int _Unwind_Backtrace(void) { return 5; /* the end of the stack */ }
void *_Unwind_GetIP(void) { return NULL; }
void *_Unwind_GetCFA(void) { return NULL; }
void *_Unwind_FindEnclosingFunction(void) { return NULL; }

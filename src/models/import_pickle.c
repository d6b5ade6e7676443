/* The pickle machine (what it is and what bounds it: import_pickle.h). Opcodes of protocols 2 to 4 that checkpoints use; the text
 * opcodes of protocol 0, INST, OBJ, PERSID, the extension registry and all that duplicates or drops stack entries are refused. */
#include "models/import_pickle.h"
#include <string.h>
#include "base/mem.h"

enum { MAX_STACK = 100000, MAX_MARKS = 64, MAX_MEMO = 1000000 };
#define NOTHING UINT32_MAX

typedef struct Machine {
    Pickle *p;
    const unsigned char *start, *at, *end;
    PickleRef *stack, *memo;
    size_t n_stack, stack_cap, n_memo, memo_cap, n_memoised;
    uint32_t mark[MAX_MARKS];
    int n_marks;
    bool stopped;
} Machine;

/* ---- nodes ---- */
static BalStatus bad(const Machine *m, const char *what, BalError *err) {
    return bal_pickle_bad(m->p, what, err);
}

static BalStatus push_ref(Machine *m, PickleRef ref, BalError *err) {
    if (m->n_stack == MAX_STACK) return bad(m, "more than 100000 values on the stack", err);
    BAL_TRY(bal_grow(&m->stack, &m->stack_cap, m->n_stack + 1, sizeof *m->stack, err));
    m->stack[m->n_stack++] = ref;
    return BAL_OK;
}

static BalStatus push(Machine *m, PickleNode v, BalError *err) {
    PickleRef ref = 0;
    BAL_TRY(bal_pickle_add(m->p, v, &ref, err));
    return push_ref(m, ref, err);
}

static BalStatus push_whole(Machine *m, PickleKind kind, int64_t v, BalError *err) {
    return push(m, (PickleNode){.kind = (unsigned char)kind, .whole = v}, err);
}

static BalStatus push_kind(Machine *m, PickleKind kind, BalError *err) {
    return push(m, (PickleNode){.kind = (unsigned char)kind}, err);
}

/* Values above the last mark. */
static size_t reachable(const Machine *m) {
    return m->n_stack - (m->n_marks ? m->mark[m->n_marks - 1] : 0);
}

static BalStatus pop(Machine *m, PickleRef *out, BalError *err) {
    if (!reachable(m)) return bad(m, "the stack is empty", err);
    *out = m->stack[--m->n_stack];
    return BAL_OK;
}

static BalStatus pop_mark(Machine *m, size_t *n, BalError *err) {
    if (!m->n_marks) return bad(m, "there is no mark", err);
    *n = reachable(m);
    m->n_marks--;
    return BAL_OK;
}

/* ---- bytes ---- */
static BalStatus take(Machine *m, size_t n, const unsigned char **out, BalError *err) {
    if (n > (size_t)(m->end - m->at)) return bad(m, "the file ends within this instruction", err);
    *out = m->at;
    m->at += n;
    return BAL_OK;
}

static BalStatus take_little(Machine *m, int bytes, uint64_t *v, BalError *err) {
    const unsigned char *p = NULL;
    BAL_TRY(take(m, (size_t)bytes, &p, err));
    *v = 0;
    for (int i = bytes - 1; i >= 0; i--) *v = *v << 8 | p[i];
    return BAL_OK;
}

/* A string whose length stands before it. */
static BalStatus push_bytes(Machine *m, PickleKind kind, int length_bytes, BalError *err) {
    uint64_t n = 0;
    const unsigned char *p = NULL;
    BAL_TRY(take_little(m, length_bytes, &n, err));
    if (n > UINT32_MAX) return bad(m, "a string of more than 4 GiB", err);
    BAL_TRY(take(m, (size_t)n, &p, err));
    return push(m, (PickleNode){.kind = (unsigned char)kind, .n = (uint32_t)n, .bytes = p}, err);
}

/* Two's complement, little endian; more than 64 bits (the mark of old checkpoints) stay bytes. */
static BalStatus push_long(Machine *m, BalError *err) {
    uint64_t n = 0, v = 0;
    const unsigned char *p = NULL;
    BAL_TRY(take_little(m, 1, &n, err));
    if (n > 10) return bad(m, "an integer of more than 80 bits", err);
    BAL_TRY(take(m, (size_t)n, &p, err));
    if (n > 8) return push(m, (PickleNode){.kind = PICKLE_BYTES, .n = (uint32_t)n, .bytes = p}, err);
    if (n && p[n - 1] & 0x80) v = UINT64_MAX;
    for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
    return push_whole(m, PICKLE_INT, (int64_t)v, err);
}

static BalStatus push_real(Machine *m, BalError *err) {
    const unsigned char *p = NULL;
    uint64_t bits = 0;
    PickleNode v = {.kind = PICKLE_REAL};
    BAL_TRY(take(m, 8, &p, err));
    for (int i = 0; i < 8; i++) bits = bits << 8 | p[i];
    memcpy(&v.real, &bits, sizeof v.real);
    return push(m, v, err);
}

static BalStatus push_int(Machine *m, int bytes, BalError *err) {
    uint64_t v = 0;
    BAL_TRY(take_little(m, bytes, &v, err));
    return push_whole(m, PICKLE_INT, bytes == 4 ? (int32_t)(uint32_t)v : (int64_t)v, err);
}

/* ---- memo ---- */
/* Writers number what they remember from 0 or 1 on, so no number can exceed the bytes of the pickle. */
static BalStatus remember(Machine *m, uint64_t at, BalError *err) {
    if (!reachable(m)) return bad(m, "the stack is empty", err);
    if (at >= MAX_MEMO || at > (size_t)(m->end - m->start)) return bad(m, "a memo number that no writer reaches", err);
    if (at >= m->n_memo) {
        BAL_TRY(bal_grow(&m->memo, &m->memo_cap, (size_t)at + 1, sizeof *m->memo, err));
        for (; m->n_memo <= at; m->n_memo++) m->memo[m->n_memo] = NOTHING;
    }
    m->n_memoised += m->memo[at] == NOTHING;
    m->memo[at] = m->stack[m->n_stack - 1];
    return BAL_OK;
}

static BalStatus put(Machine *m, int bytes, BalError *err) {
    uint64_t at = 0;
    BAL_TRY(take_little(m, bytes, &at, err));
    return remember(m, at, err);
}

static BalStatus get(Machine *m, int bytes, BalError *err) {
    uint64_t at = 0;
    BAL_TRY(take_little(m, bytes, &at, err));
    if (at >= m->n_memo || m->memo[at] == NOTHING) return bad(m, "nothing was remembered under this number", err);
    return push_ref(m, m->memo[at], err);
}

/* ---- containers ---- */
static BalStatus mark(Machine *m, BalError *err) {
    if (m->n_marks == MAX_MARKS) return bad(m, "more than 64 marks", err);
    m->mark[m->n_marks++] = (uint32_t)m->n_stack;
    return BAL_OK;
}

static BalStatus tuple(Machine *m, size_t n, BalError *err) {
    if (n > reachable(m)) return bad(m, "the stack is empty", err);
    const size_t first = m->n_stack - n;
    BAL_TRY(push_kind(m, PICKLE_TUPLE, err));
    const PickleRef made = m->stack[m->n_stack - 1];
    BAL_TRY(bal_pickle_place(m->p, made, m->stack + first, n, err));
    m->stack[first] = made;
    m->n_stack = first + 1;
    return BAL_OK;
}

/* The top n values go into the list or dict below them. */
static BalStatus insert(Machine *m, size_t n, PickleKind kind, BalError *err) {
    if (n >= reachable(m)) return bad(m, "the stack is empty", err);
    const size_t first = m->n_stack - n;
    const PickleRef into = m->stack[first - 1];
    if (m->p->node[into].kind != kind) return bad(m, "items are put into what cannot hold them", err);
    if (kind == PICKLE_DICT && n % 2) return bad(m, "a key without a value", err);
    BAL_TRY(bal_pickle_place(m->p, into, m->stack + first, n, err));
    m->n_stack = first;
    return BAL_OK;
}

static BalStatus tuple_to_mark(Machine *m, BalError *err) {
    size_t n = 0;
    BAL_TRY(pop_mark(m, &n, err));
    return tuple(m, n, err);
}

static BalStatus insert_to_mark(Machine *m, PickleKind kind, BalError *err) {
    size_t n = 0;
    BAL_TRY(pop_mark(m, &n, err));
    return insert(m, n, kind, err);
}

/* ---- globals ---- */
static BalStatus take_line(Machine *m, const unsigned char **p, size_t *n, BalError *err) {
    const unsigned char *stop = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!stop) return bad(m, "the file ends within this instruction", err);
    *p = m->at;
    *n = (size_t)(stop - m->at);
    m->at = stop + 1;
    return BAL_OK;
}

static BalStatus global_lines(Machine *m, BalError *err) {
    const unsigned char *module = NULL, *name = NULL;
    size_t n_module = 0, n_name = 0;
    PickleRef made = 0;
    BAL_TRY(take_line(m, &module, &n_module, err));
    BAL_TRY(take_line(m, &name, &n_name, err));
    BAL_TRY(bal_pickle_global(m->p, module, n_module, name, n_name, &made, err));
    return push_ref(m, made, err);
}

static BalStatus global_stack(Machine *m, BalError *err) {
    PickleRef name = 0, module = 0, made = 0;
    BAL_TRY(pop(m, &name, err));
    BAL_TRY(pop(m, &module, err));
    const PickleNode *a = &m->p->node[module], *b = &m->p->node[name];
    if (a->kind != PICKLE_TEXT || b->kind != PICKLE_TEXT) return bad(m, "a global without a name", err);
    BAL_TRY(bal_pickle_global(m->p, a->bytes, a->n, b->bytes, b->n, &made, err));
    return push_ref(m, made, err);
}

/* ---- objects ---- */
static BalStatus call(Machine *m, bool new_object, BalError *err) {
    PickleRef args = 0, f = 0, made = 0;
    BAL_TRY(pop(m, &args, err));
    BAL_TRY(pop(m, &f, err));
    BAL_TRY(bal_pickle_call(m->p, f, args, new_object, &made, err));
    return push_ref(m, made, err);
}

static BalStatus build(Machine *m, BalError *err) {
    PickleRef state = 0;
    BAL_TRY(pop(m, &state, err));
    if (!reachable(m)) return bad(m, "the stack is empty", err);
    return bal_pickle_build(m->p, m->stack[m->n_stack - 1], state, err);
}

static BalStatus storage(Machine *m, BalError *err) {
    PickleRef id = 0, made = 0;
    BAL_TRY(pop(m, &id, err));
    BAL_TRY(bal_pickle_storage(m->p, id, &made, err));
    return push_ref(m, made, err);
}

/* ---- the machine ---- */
static BalStatus stop(Machine *m, BalError *err) {
    if (m->n_stack != 1 || m->n_marks) return bad(m, "it does not end with one object", err);
    m->p->root = m->stack[0];
    m->p->used = (size_t)(m->at - m->start);
    m->stopped = true;
    return BAL_OK;
}

static BalStatus step(Machine *m, unsigned char op, BalError *err) {
    uint64_t ignored = 0;
    switch (op) {
    case '.':
        return stop(m, err);
    case '(':
        return mark(m, err);
    case '}':
        return push_kind(m, PICKLE_DICT, err);
    case ']':
        return push_kind(m, PICKLE_LIST, err);
    case ')':
        return push_kind(m, PICKLE_TUPLE, err);
    case 't':
        return tuple_to_mark(m, err);
    case 0x85: /* TUPLE1, 2, 3 */
    case 0x86:
    case 0x87:
        return tuple(m, op - 0x84u, err);
    case 's':
        return insert(m, 2, PICKLE_DICT, err);
    case 'u':
        return insert_to_mark(m, PICKLE_DICT, err);
    case 'a':
        return insert(m, 1, PICKLE_LIST, err);
    case 'e':
        return insert_to_mark(m, PICKLE_LIST, err);
    case 'N':
        return push_kind(m, PICKLE_NONE, err);
    case 0x88: /* NEWTRUE, NEWFALSE */
    case 0x89:
        return push_whole(m, PICKLE_BOOL, op == 0x88, err);
    case 'J':
        return push_int(m, 4, err);
    case 'K':
        return push_int(m, 1, err);
    case 'M':
        return push_int(m, 2, err);
    case 0x8A: /* LONG1 */
        return push_long(m, err);
    case 'G':
        return push_real(m, err);
    case 'X':
        return push_bytes(m, PICKLE_TEXT, 4, err);
    case 0x8C: /* SHORT_BINUNICODE */
        return push_bytes(m, PICKLE_TEXT, 1, err);
    case 'T': /* a negative length is one beyond the file */
    case 'B':
        return push_bytes(m, PICKLE_BYTES, 4, err);
    case 'U':
    case 'C':
        return push_bytes(m, PICKLE_BYTES, 1, err);
    case 'q':
        return put(m, 1, err);
    case 'r':
        return put(m, 4, err);
    case 0x94: /* MEMOIZE */
        return remember(m, m->n_memoised, err);
    case 'h':
        return get(m, 1, err);
    case 'j':
        return get(m, 4, err);
    case 'c':
        return global_lines(m, err);
    case 0x93: /* STACK_GLOBAL */
        return global_stack(m, err);
    case 'R':
        return call(m, false, err);
    case 0x81: /* NEWOBJ */
        return call(m, true, err);
    case 'b':
        return build(m, err);
    case 'Q':
        return storage(m, err);
    case 0x95: /* FRAME: a hint for those who read from a pipe */
        return take_little(m, 8, &ignored, err);
    default:
        return BAL_FAIL(err, BAL_E_FORMAT,
                        "%s: its pickle cannot be used: byte %zu: instruction 0x%02x, which no list of tensors needs",
                        m->p->file, m->p->at, op);
    }
}

static BalStatus run(Machine *m, BalError *err) {
    if (m->end - m->at < 2 || m->at[0] != 0x80 || m->at[1] < 2 || m->at[1] > 4)
        return bad(m, "not of protocol 2, 3 or 4: write it with protocol=2", err);
    m->at += 2;
    while (!m->stopped) {
        m->p->at = (size_t)(m->at - m->start);
        if (m->at == m->end) return bad(m, "the file ends before its end is said", err);
        BAL_TRY(step(m, *m->at++, err));
    }
    return BAL_OK;
}

BalStatus bal_pickle_read(Pickle *p, const void *data, size_t n, const char *file, BalError *err) {
    Machine m = {.p = p, .start = data, .at = data};
    *p = (Pickle){.file = file, .size = n};
    m.end = m.start + n;
    BalStatus rc = bal_grow(&m.stack, &m.stack_cap, 64, sizeof *m.stack, err);
    if (rc >= 0) rc = run(&m, err);
    bal_free(m.stack);
    bal_free(m.memo);
    if (rc < 0) bal_pickle_reset(p);
    return rc;
}

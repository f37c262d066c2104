/*
 * The little trees that an rpc/encoded answer is read into: one per participant, plus what can be
 * referred to. Used by soap/register*.c only.
 */
#ifndef OBMEN_SOAP_REGISTER_TREE_H
#define OBMEN_SOAP_REGISTER_TREE_H

#include "lib/arena.h"
#include "soap/register.h"

enum tree_name {
	NAME_OTHER, /* unknown elements, and the names of array items and results */
	NAME_ENVELOPE, NAME_BODY, NAME_FAULT, NAME_FAULT_STRING, NAME_ENTITIES, NAME_EIK, NAME_GUID,
	NAME_PARENT, NAME_BODY_NAME, NAME_CONTACT, NAME_PHONE, NAME_FAX, NAME_EMAIL, NAME_SERIAL,
	NAME_SERVICES, NAME_NAME, NAME_URI, NAME_STATUS, NAME_VERSION, NAME_LAST_CHANGE,
	NAME_COUNT
};

struct tree {
	enum tree_name name;
	char *text;       /* of a leaf; NULL = nil or absent */
	const char *href; /* the id that this element refers to, without '#' */
	const char *id;
	struct tree *children, *last, *next;
};

/* Without prefix; NAME_OTHER when it is none of ours. */
enum tree_name tree_name_find(const char *local_name);

/* A new last child of parent (NULL: none). NULL when the arena is full. */
struct tree *tree_add(struct arena *, struct tree *parent, enum tree_name);
/* A deep copy as a new last child of parent. */
struct tree *tree_copy(struct arena *, struct tree *parent, const struct tree *);

struct tree_ids {
	uint64_t seed[2];
	struct tree_id **buckets; /* made with the first id */
};

/* Remembers an element that has an id. False when the arena is full. */
bool tree_ids_add(struct tree_ids *, struct arena *, struct tree *);
void tree_ids_free(struct tree_ids *);

/* Follows references; NULL when one leads nowhere (yet). */
struct tree *tree_follow(const struct tree_ids *, struct tree *);
/* True when the subtree refers, directly or not, to something that has not come yet. */
bool tree_waits(const struct tree_ids *, const struct tree *);
/* The first child with this name, references followed; NULL when there is none. */
struct tree *tree_child(const struct tree_ids *, const struct tree *, enum tree_name);

/* Reads an entity into p, whose strings stay in the tree. False when it has no readable GUID. */
bool tree_participant(const struct tree_ids *, struct tree *, struct participant *p);
/* Text without outer white space; "" for NULL. Changes the text. */
const char *tree_trim(char *text);

#endif

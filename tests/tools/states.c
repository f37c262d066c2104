/* Prints the diagram of document states for the manual. */
#include "store/states.h"

int
main(void)
{
	states_write(stdout);
	return 0;
}

/* obmen-authorityd(8): the register of participants and the transport CA. */
#include "authority/role.h"

int
main(int argc, char **argv)
{
	return program_main(&authority, argc, argv);
}

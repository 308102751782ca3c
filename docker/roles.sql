-- Run once, by the superuser, when the volume of PostgreSQL is made. Who owns the tables changes the
-- schema and nothing else; the service reads and writes, and can neither change nor drop a table.

\getenv owner_password POSTGRES_OWNER_PASSWORD
\getenv user_password POSTGRES_USER_PASSWORD

CREATE ROLE saas_ia_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE saas_ia_user LOGIN PASSWORD :'user_password';

REVOKE ALL ON DATABASE saas_ia FROM PUBLIC;
GRANT CONNECT ON DATABASE saas_ia TO saas_ia_owner, saas_ia_user;

ALTER SCHEMA public OWNER TO saas_ia_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO saas_ia_user;
-- In force for every table that `saas-ia migrate` makes from now on.
ALTER DEFAULT PRIVILEGES FOR ROLE saas_ia_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO saas_ia_user;
ALTER DEFAULT PRIVILEGES FOR ROLE saas_ia_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO saas_ia_user;

"""What notify's tables are declared on."""

from sqlalchemy import BigInteger, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase

from libs.common.database import CONVENTION

Serial = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Notify's own tables."""

    metadata = MetaData(naming_convention=CONVENTION)
